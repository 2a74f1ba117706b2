"""Test doubles of the ports, for tests of seatrial and of code that uses it. Public.

They keep the contracts of the ports: one test runs against each double and the real implementation.
"""

from seatrial.doubles.clock import FakeClock
from seatrial.doubles.events import Recorded
from seatrial.doubles.processes import Answer, FakeProcesses

__all__ = ["Answer", "FakeClock", "FakeProcesses", "Recorded"]
