"""kube-router, of which a node runs the part that enforces NetworkPolicies.

https://github.com/cloudnativelabs/kube-router/blob/v2.1.0/docs/user-guide.md (`--run-firewall`)

It refuses what a policy forbids, and for the moment until it knows a new pod's address that is what the pod was started
for: a migration's first connection, say. kindest/node and most others drop it instead, so that TCP tries again. So does
this one.
"""

from foundry.recipe import Build

MODULE = "github.com/cloudnativelabs/kube-router/v2"
RULES = "pkg/controllers/netpol/pod.go"
_REFUSE = '"-j", "REJECT"'


def build(b: Build) -> None:
    version = f"v{b.version}"
    source = b.copy(b.go_module(MODULE, version), b.scratch / "source")
    rules = source / RULES
    rules.write_text(dropping(rules.read_text()))
    b.go_build(MODULE, version, ("cmd/kube-router",), replace={MODULE: str(source)})


def dropping(source: str) -> str:
    """Return the source with its one refusing rule made a dropping one."""
    if source.count(_REFUSE) != 1:
        raise ValueError(f"{RULES} of kube-router refuses at {source.count(_REFUSE)} places, expected 1")
    return source.replace(_REFUSE, '"-j", "DROP"')
