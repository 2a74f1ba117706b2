"""Files below a mount of the other side are explained."""

from __future__ import annotations

from seatrial.model.environment_facts import Mount

from comparison.recorded_sides import container, explained, fact, facts

MOUNTED = facts(container(mounts=(Mount(path="/etc/rules", kind="bind"),)), kind="compose")


def test_missing_file_below_a_mount_of_the_other_side_is_explained():
    text = "FileNotFoundError: [Errno 2] No such file or directory: '/etc/rules/tax.json'"
    explanation = explained(text, left_facts=MOUNTED)

    assert explanation.rule == "mounts"
    assert explanation.evidence[1] == "web: /etc/rules bind"


def test_missing_file_elsewhere_is_not():
    assert explained("No such file or directory: '/tmp/x'", left_facts=MOUNTED) is None


def test_missing_data_beside_a_moved_volume_is_explained():
    lasting = facts(container(mounts=(Mount(path="/data", kind="persistentVolumeClaim"),)))
    moved = facts(container(mounts=(Mount(path="/old", kind="persistentVolumeClaim"),)))

    explanation = explained("assert [] == ['kept']", left_facts=lasting, right_facts=moved)
    assert explanation.cause == "data of web is missing in after, where its volume differs"
    assert explained("assert [] == ['kept']", left_facts=lasting, right_facts=lasting) is None


def test_lost_volume_is_explained():
    lasting = facts(container(mounts=(Mount(path="/data", kind="persistentVolumeClaim"),)))
    difference = fact(lasting, facts(container(mounts=(Mount(path="/data", kind="emptyDir"),))), "mounts")

    assert difference.explanation.cause == "the mounts of web differ: its data does not survive a restart"
