"""kube-router, of which a node runs the part that enforces NetworkPolicies.

https://github.com/cloudnativelabs/kube-router/blob/v2.1.0/docs/user-guide.md (`--run-firewall`)
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.go_build("github.com/cloudnativelabs/kube-router/v2/cmd/kube-router", f"v{b.version}")
