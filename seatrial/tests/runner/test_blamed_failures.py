"""What the pod tells of a failed test, and where its cause is shown."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from seatrial.model.blame import Blame, Cause, Fault
from seatrial.model.errors import ExitCode
from seatrial.model.finding import Finding, ObjectRef

FIXTURES = {
    "namespace": "shop",
    "labels": {},
    "rights": None,
    "services": {
        name: {"namespace": "shop", "scheme": "http", "service": "127.0.0.1", "port": 9, "ready": None}
        for name in ("web", "db", "mail")
    },
}

TEST = """
import pytest, urllib.request

@pytest.fixture(scope="session")
def api(service):
    return service("web", check=False).url

class TestWeb:
    required_services = [("mail", 25)]

    def test_first(self, api):
        assert api == "http://x"

    @pytest.mark.service("db")
    def test_second(self, api):
        urllib.request.urlopen(api)

def test_assertion():
    assert 1 == 2

def test_output(capsys):
    with capsys.disabled():
        pass
    print("x" * 5000)
    assert 1 == 3
"""


def cause(fault=Fault.SERVICE):
    subject = ObjectRef(kind="Pod", name="web-1")
    finding = Finding(cause="OOMKilled", subject=subject, message="out of memory")
    return Cause(word="caused by", fault=fault, finding=finding, seconds=3, links=("the error names web",))


@pytest.mark.parametrize("more", [(), ("-n1",)], ids=["one process", "xdist"])
def test_failed_tests_come_with_services_and_addresses(bench, more):
    bench.write(tests__test_a_py=TEST)
    bench.build()
    failures = {}

    def blame(failed):
        failures.update({each.nodeid.rpartition("::")[2]: each for each in failed})
        return []

    outcome = bench.run(*more, fixtures=FIXTURES, env={"SEATRIAL_LOCATION": "pod"}, blame=blame)

    assert outcome.counts.failed == 4, bench.text
    first, second, alone = failures["test_first"], failures["test_second"], failures["test_assertion"]
    assert sorted(first.services) == ["mail", "web"]
    assert sorted(second.services) == ["db", "mail", "web"]
    assert "127.0.0.1:9" in second.addresses
    assert "Connection refused" in second.error
    assert first.begin <= first.end <= second.end
    assert (alone.services, alone.addresses, alone.error) == ((), (), "assert 1 == 2")


def test_cause_is_shown_below_the_failure_and_in_the_junit_file(bench):
    bench.write(tests__test_a_py=TEST)
    bench.build()

    def blame(failed):
        return [
            Blame(nodeid=each.nodeid, fault=Fault.SERVICE, causes=(cause(),))
            if "assertion" in each.nodeid or "output" in each.nodeid
            else Blame(nodeid=each.nodeid)
            for each in failed
        ]

    outcome = bench.run(fixtures=FIXTURES, env={"SEATRIAL_LOCATION": "pod"}, blame=blame)

    assert outcome.verdict.exit is ExitCode.TESTS_FAILED
    assert [each.fault for each in outcome.blames].count("service") == 2
    # The report with much output is read again from the log.
    assert bench.text.count("- seatrial -") == 2
    assert bench.text.count("caused by service: pod/web-1: OOMKilled: out of memory, 3 s before\n") == 2
    assert "evidence: the error names web\n" in bench.text
    cases = {case.attrib["name"]: case for case in ET.parse(bench.run_dir / "junit.xml").iter("testcase")}
    properties = {each.attrib["name"]: each.attrib["value"] for each in cases["test_assertion"].iter("property")}
    assert properties == {
        "seatrial.fault": "service",
        "seatrial.cause": "caused by service: pod/web-1: OOMKilled: out of memory, 3 s before",
        "seatrial.evidence": "evidence: the error names web",
    }
    assert [each.attrib["value"] for each in cases["test_first"].iter("property")] == ["test"]


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.PLATFORM, ExitCode.ENVIRONMENT), (Fault.SERVICE, ExitCode.TESTS_FAILED)]
)
def test_exit_code_is_that_of_the_environment_if_the_platform_caused_all_failures(bench, fault, code):
    bench.write(tests__test_a_py=TEST)
    bench.build()

    def blame(failed):
        return [Blame(nodeid=each.nodeid, fault=fault, causes=(cause(fault),)) for each in failed]

    outcome = bench.run("-k", "assertion or output", fixtures=FIXTURES, blame=blame)

    assert outcome.verdict.exit is code
