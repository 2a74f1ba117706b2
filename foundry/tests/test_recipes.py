"""Test the parts of recipes that can be tested without a build."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from foundry.errors import FoundryError
from foundry.recipes import go, node

SCRIPT = Path(node.__file__).parent / "node" / "pod-network.sh"


def test_storage_manifest_is_read_from_kind_source():
    source = (
        'const other = "x"\nconst defaultStorageManifest = `\nimage: ` + storageProvisionerImage + `\n'
        "helper: ` + storageHelperImage + `\nend: 1\n`\n"
    )

    assert node.storage_manifest(source, "p:1", "h:1") == "\nimage: p:1\nhelper: h:1\nend: 1\n"


def test_storage_manifest_missing_in_source_is_an_error():
    with pytest.raises(ValueError, match="defaultStorageManifest"):
        node.storage_manifest("package nodeimage", "p", "h")


def test_go_proxies_follow_machine_settings(tmp_path):
    (tmp_path / "env").write_text("GOPROXY=https://go.example\n")

    assert go.proxies({"GOPROXY": "https://a.example/,https://b.example|direct"}) == [
        "https://a.example",
        "https://b.example",
    ]
    assert go.proxies({"GOENV": str(tmp_path / "env")}) == ["https://go.example"]
    assert go.proxies({"GOENV": "/nowhere"}) == []


@pytest.fixture
def module(tmp_path: Path) -> zipfile.ZipFile:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m@v1/bin/go", "go")
        archive.writestr("m@v1/go.mod", "module m\n")
        archive.writestr("m@v1/test/x.go", "package x\n")
    return zipfile.ZipFile(tmp_path / "m.zip")


def test_module_sum_equals_go_sum(module):
    """The expected sum comes from `go mod verify`'s own function (golang.org/x/mod/sumdb/dirhash)."""
    with module:
        assert go.module_sum(module) == "h1:MwIpYKvMLMCW/yqgmoL7i9rlj3wf/PZcwX1FRUBTock="


def test_unpack_sets_modes_and_omits_go_tests(module, tmp_path):
    with module:
        go.unpack(module, "m@v1/", tmp_path / "out")

    assert os.access(tmp_path / "out/bin/go", os.X_OK)
    assert not os.access(tmp_path / "out/go.mod", os.X_OK)
    assert not (tmp_path / "out/test").exists()


def test_unpack_path_traversal_is_an_error(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.writestr("m@v1/../../evil", "x")

    with zipfile.ZipFile(tmp_path / "m.zip") as archive, pytest.raises(FoundryError, match="evil"):
        go.unpack(archive, "m@v1/", tmp_path / "out")


# -- the script of the pod network; fakes record the calls of its programs
# ----------------------------------------------


PROGRAMS = (
    *("ip", "ln", "kubectl", "kube-router", "xtables-legacy-multi", "xtables-nft-multi"),
    *("iptables", "iptables-restore", "ip6tables", "ip6tables-restore"),
)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    (tmp_path / "net.d").mkdir()
    (tmp_path / "mtu").write_text("1500\n")
    for name in PROGRAMS:
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{tmp_path}/calls"\n. "{programs}/{name}.body"\n')
        (programs / name).chmod(0o755)
        (programs / f"{name}.body").write_text("")
    for name in ("iptables-restore", "ip6tables-restore"):
        (programs / f"{name}.body").write_text(f'cat >>"{tmp_path}/rules"\n')
    for name in ("iptables", "ip6tables"):
        (programs / f"{name}.body").write_text("exit 1\n")
    script = (
        SCRIPT.read_text()
        .replace("/etc/cni/net.d", f"{tmp_path}/net.d")
        .replace("/sys/class/net/eth0/mtu", f"{tmp_path}/mtu")
    )
    # One watch, until it ends, before the rest of the script.
    once = script.replace("sleep 1", "exit 0").replace("watch &\n", "(watch)\n")
    assert "(watch)" in once
    (tmp_path / "pod-network").write_text(once)
    return tmp_path


def run(folder: Path, *nodes: str, subnet: str = "10.244.0.0/16") -> str:
    (folder / "bin" / "kubectl.body").write_text(
        "cat <<END\n" + "\n".join(nodes) + '\nEND\necho "$KUBERNETES_SERVICE_HOST" >&2\n'
    )
    done = subprocess.run(
        ["sh", folder / "pod-network"],
        env={
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "NODE_NAME": "one",
            "POD_SUBNET": subnet,
            "CONTROL_PLANE_ENDPOINT": "x-control-plane:6443",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert "x-control-plane" in done.stderr
    return (folder / "calls").read_text()


def test_pod_network_writes_cni_configuration_and_routes(network):
    calls = run(network, "one 172.18.0.2 | 10.244.0.0/24", "two 172.18.0.3 | 10.244.1.0/24")

    assert "ip -4 route replace 10.244.1.0/24 via 172.18.0.3" in calls
    assert "10.244.0.0/24 via" not in calls
    configuration = (network / "net.d" / "10-pod-network.conflist").read_text()
    assert '"subnet":"10.244.0.0/24"' in configuration
    assert '"mtu": 1500' in configuration
    assert [file.name for file in (network / "net.d").iterdir()] == ["10-pod-network.conflist"]


def test_pod_network_node_without_pod_range_gets_no_route(network):
    calls = run(network, "one 172.18.0.2 |", "two | 10.244.1.0/24")

    assert "ip " not in calls
    assert not list((network / "net.d").iterdir())


def test_pod_network_dual_stack_has_rules_and_routes_per_family(network):
    calls = run(
        network,
        "one 172.18.0.2 fc00::2 | 10.244.0.0/24 fd00:10:244::/64",
        "two 172.18.0.3 fc00::3 | 10.244.1.0/24 fd00:10:244:1::/64",
        subnet="10.244.0.0/16,fd00:10:244::/56",
    )

    assert "ip -4 route replace 10.244.1.0/24 via 172.18.0.3" in calls
    assert "ip -6 route replace fd00:10:244:1::/64 via fc00::3" in calls
    rules = (network / "rules").read_text()
    assert "-A POD-MASQUERADE -d 10.244.0.0/16 -j RETURN" in rules
    assert "-A POD-MASQUERADE -d fd00:10:244::/56 -j RETURN" in rules
    assert '"subnet":"fd00:10:244::/64"' in (network / "net.d" / "10-pod-network.conflist").read_text()


@pytest.mark.parametrize(
    ("subnet", "families"),
    [
        ("10.244.0.0/16", ""),
        ("10.244.0.0/16,fd00:10:244::/56", " --enable-ipv6"),
        ("fd00:10:244::/56", " --enable-ipv6 --enable-ipv4=false"),
    ],
)
def test_pod_network_enforces_policies_for_configured_families(network, subnet, families):
    *_, last = run(network, "one 172.18.0.2 |", subnet=subnet).splitlines()

    assert last.startswith("kube-router --run-firewall --run-router=false --run-service-proxy=false")
    assert last.endswith(f"--health-port=0{families}")


@pytest.mark.parametrize(
    ("version", "lacks", "chosen"),
    [
        ("v1.8.9 (nf_tables)", "", "legacy"),
        ("v1.8.9 (legacy)", "", "nft"),
        ("v1.8.9 (nf_tables)", "legacy", "nft"),
        ("v1.8.9 (legacy)", "nft", "legacy"),
    ],
)
def test_pod_network_policies_use_separate_tables_if_available(network, version, lacks, chosen):
    (network / "bin" / "iptables.body").write_text(f'[ "$1" = --version ] && echo "iptables {version}"\n')
    if lacks:
        (network / "bin" / f"xtables-{lacks}-multi.body").write_text("exit 1\n")
    calls = run(network, "one 172.18.0.2 |")

    assert f"ln -sf /usr/sbin/xtables-{chosen}-multi /usr/local/libexec/policies/iptables-save" in calls


def test_pod_network_existing_route_is_unchanged(network):
    (network / "bin" / "ip.body").write_text('echo "10.244.1.0/24 via 172.18.0.3 dev eth0 "\n')

    assert "replace" not in run(network, "two 172.18.0.3 | 10.244.1.0/24")


def test_pod_network_sets_up_masquerading_once(network):
    (network / "bin" / "iptables.body").write_text("exit 0\n")

    assert "iptables-restore" not in run(network, "one 172.18.0.2 | 10.244.0.0/24")


# -- the iptables-restore of kube-router -----

SAVED = """\
*filter
:INPUT ACCEPT [1:2]
:KUBE-SERVICES - [0:0]
:KUBE-POD-FW-OLD - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
-A KUBE-SERVICES -d 10.96.0.10/32 -j REJECT --reject-with icmp-port-unreachable
COMMIT
"""
GIVEN = """\
*filter
:INPUT - [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-ROUTER-FORWARD - [0:0]
:KUBE-POD-FW-NEW - [0:0]
-A INPUT -j KUBE-ROUTER-INPUT
-A KUBE-SERVICES -d 10.96.0.7/32 -j REJECT
-A KUBE-ROUTER-FORWARD -d 10.244.1.2/32 -j KUBE-POD-FW-NEW
-A KUBE-POD-FW-NEW -m comment --comment "rule to REJECT traffic" -m mark ! --mark 0x10000/0x10000 -j REJECT
-I KUBE-POD-FW-NEW 1 -d 10.244.1.2/32 -j KUBE-NWPLCY-DEFAULT
COMMIT
"""


@pytest.mark.parametrize("family", ["iptables", "ip6tables"])
def test_policy_restore_writes_only_policy_chains(tmp_path, family):
    real, ours = tmp_path / "real", tmp_path / "ours"
    for folder in (real, ours):
        folder.mkdir()
    (tmp_path / "saved").write_text(SAVED)
    (real / "xtables-nft-multi").write_text(
        f'#!/bin/sh\n[ "$*" = "{family}-save -t filter" ] && exec cat {tmp_path}/saved\n'
        f'echo "$*" >{tmp_path}/argv\ncat >{tmp_path}/rules\n'
    )
    shutil.copy(SCRIPT.with_name("policy-restore.sh"), ours / f"{family}-restore")
    for program in (*real.iterdir(), *ours.iterdir()):
        program.chmod(0o755)
    subprocess.run(
        [f"{family}-restore", "--wait", "-T", "filter"],
        input=GIVEN,
        text=True,
        check=True,
        env={"PATH": f"{ours}:{real}:{os.environ['PATH']}", "TABLES": "nft"},
    )

    assert (tmp_path / "argv").read_text() == f"{family}-restore --noflush --wait -T filter\n"
    first, *lines, last = (tmp_path / "rules").read_text().splitlines()
    assert (first, last) == ("*filter", "COMMIT")
    assert sorted(lines[:3]) == [
        ":KUBE-POD-FW-NEW - [0:0]",
        ":KUBE-POD-FW-OLD - [0:0]",
        ":KUBE-ROUTER-FORWARD - [0:0]",
    ]
    assert lines[3:] == [
        "-A KUBE-ROUTER-FORWARD -d 10.244.1.2/32 -j KUBE-POD-FW-NEW",
        '-A KUBE-POD-FW-NEW -m comment --comment "rule to REJECT traffic" -m mark ! --mark 0x10000/0x10000 -j DROP',
        "-I KUBE-POD-FW-NEW 1 -d 10.244.1.2/32 -j KUBE-NWPLCY-DEFAULT",
        "-X KUBE-POD-FW-OLD",
    ]
