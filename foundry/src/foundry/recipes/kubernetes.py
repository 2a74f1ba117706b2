"""Kubernetes' own programs from the Go module proxy.

`k8s.io/kubernetes` replaces its staging modules by folders of its own repository, which are not part of the module. The
published ones of the same version (`k8s.io/api v0.34.4` for `k8s.io/kubernetes v1.34.4`) are the same code, so they are
put in their place. The version that the programs report is set by the linker, as Kubernetes' build does
(https://github.com/kubernetes/kubernetes/blob/v1.34.4/hack/lib/version.sh).
"""

import re

from foundry.recipe import Build

MODULE = "k8s.io/kubernetes"
COMMANDS = (
    "kubeadm",
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "kubectl",
)


def build(b: Build) -> None:
    version = f"v{b.version}"
    major, minor, _ = b.version.split(".")
    staging = f"v0.{b.version.removeprefix(f'{major}.')}"
    go_mod = (b.go_module(MODULE, version) / "go.mod").read_text()
    replaced = re.findall(r"^\s*(k8s\.io/[a-z-]+) => \./staging/", go_mod, flags=re.MULTILINE)
    marks = {
        "k8s.io/component-base/version.gitVersion": version,
        "k8s.io/component-base/version.gitMajor": major,
        "k8s.io/component-base/version.gitMinor": minor,
        "k8s.io/client-go/pkg/version.gitVersion": version,
    }
    b.go_build(
        MODULE,
        version,
        [f"cmd/{name}" for name in COMMANDS],
        ldflags=" ".join(["-s -w", *(f"-X {name}={value}" for name, value in marks.items())]),
        replace={module: f"{module} {staging}" for module in replaced},
    )
