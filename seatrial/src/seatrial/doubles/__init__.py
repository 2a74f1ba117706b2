"""Test doubles of the ports, public, for tests of code that uses seatrial."""
