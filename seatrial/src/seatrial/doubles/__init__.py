"""Test doubles of the ports, public: for tests of code that uses seatrial, and for its own.

They keep the promises of the ports that they stand in for, so that what passes with them passes with the real ones.
"""

from seatrial.doubles.clock import FakeClock
from seatrial.doubles.events import Recorded
from seatrial.doubles.processes import Answer, FakeProcesses

__all__ = ["Answer", "FakeClock", "FakeProcesses", "Recorded"]
