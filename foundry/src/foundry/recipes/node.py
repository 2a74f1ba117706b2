"""Build a kind node image: Kubernetes, containerd and their requirements, with the layout of kind's own image.

kind's base files (entrypoint, systemd units, containerd's configuration, the storage manifest) come from kind's Go
module at build time, so they match the kind version in use:
https://github.com/kubernetes-sigs/kind/blob/v0.33.0/images/base/Dockerfile and pkg/build/nodeimage. Differences from
kindest/node:

- Debian bookworm, whose systemd 252 supports cgroup v1; trixie's 257 does not.
- runc and the CNI plugins are Debian's.
- The pod network is `node/pod-network.sh`, because kind's `kindnetd` is in no package registry. Like kindnetd, it
  enforces NetworkPolicies, with a part of kube-router.
- pause is Debian's catatonit with its option `-P`; busybox is the helper of the storage provisioner.
- The kubelet pulls images in parallel.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from foundry import oci
from foundry.recipe import Build

PACKAGES = (
    # kind's list (images/base/Dockerfile), without network storage and rootless mode
    *("systemd", "conntrack", "iptables", "nftables", "iproute2", "ethtool", "util-linux", "mount", "kmod"),
    *("libseccomp2", "pigz", "isal", "e2fsprogs", "bash", "ca-certificates", "curl", "jq", "procps"),
    # programs that kind builds from source
    *("runc", "containernetworking-plugins"),
    # contents of the images inside the node
    *("busybox-static", "catatonit", "ipset"),
)
CNI_PLUGINS = ("host-local", "loopback", "ptp", "portmap", "bridge")
POD_NETWORK = "foundry.invalid/pod-network:v1"
STORAGE_PROVISIONER = "foundry.invalid/local-path-provisioner"
STORAGE_HELPER = "foundry.invalid/local-path-helper:v1"
PRODUCT_FILES = "/kind/bin/mount-product-files.sh"
IMPORT = """
containerd >/tmp/containerd.log 2>&1 &
tries=0
until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ]; then cat /tmp/containerd.log; exit 1; fi
    sleep 0.1
done
ctr --namespace=k8s.io images import --local --no-unpack --digests --all-platforms \\
    --label=io.cri-containerd.pinned=pinned -
ctr --namespace=k8s.io images list -q
kill $!
wait $! || true
rm -rf /tmp/* /run/containerd /var/lib/containerd/tmpmounts
"""
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(b: Build) -> None:
    kind = b.go_module("sigs.k8s.io/kind", b.options["kind"])
    root = b.debootstrap(b.options["suite"], PACKAGES)
    archive = _images(b, root)
    _prune(root)
    _kind_files(b, kind, root)
    _programs(b, root)
    _manifests(b, kind, root)
    base = b.scratch_image(root)
    shutil.rmtree(root)
    # Import the images in a container of the base image, as kind's own build does, because containerd must write its
    # store.
    with b.container(base, options=["--security-opt=seccomp=unconfined"]) as node:
        with archive.open("rb") as images:
            node.exec(["sh", "-ec", IMPORT], stdin=images)
        b.image_commit(
            node,
            changes=[
                "ENV container=docker",
                "STOPSIGNAL SIGRTMIN+3",
                'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
                "USER 0",
            ],
        )


def _prune(root: Path) -> None:
    """Remove parts of a Debian system that a node does not run, as kind's Dockerfile does."""
    systemd = root / "lib/systemd/system"
    etc = root / "etc/systemd/system"
    patterns = {
        systemd / "sysinit.target.wants": "systemd-tmpfiles-setup.service",
        systemd / "multi-user.target.wants": "*",
        systemd / "local-fs.target.wants": "*",
        systemd / "sockets.target.wants": "*udev*",
        systemd / "basic.target.wants": "*",
    }
    for folder, pattern in patterns.items():
        for unit in folder.glob(pattern):
            unit.unlink()
    for unit in [*etc.glob("*.wants/*"), *(systemd / "sockets.target.wants").glob("*initctl*")]:
        unit.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as journald:
        journald.write("ReadKMsg=no\n")
    for name in ("usr/share/perl", "usr/share/bash-completion", "usr/share/zoneinfo"):
        shutil.rmtree(root / name, ignore_errors=True)


def _kind_files(b: Build, kind: Path, root: Path) -> None:
    files = kind / "images" / "base" / "files"
    b.copy(files / "etc", root / "etc")
    b.copy(files / "kind", root / "kind")
    for script in [*(files / "kind" / "bin").iterdir(), *(files / "usr/local/bin").iterdir()]:
        b.copy(script, root / script.relative_to(files), mode=0o755)
    (root / "sbin/init").unlink(missing_ok=True)
    (root / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    for command in (
        "enable kubelet.service containerd.service undo-mount-hacks.service",
        "mask systemd-binfmt.service",
    ):
        b.run(["chroot", root, "systemctl", *command.split()])
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    config = root / "etc/containerd/config.toml"
    # If the engine's own processes cannot lower their oom_score_adj (no CAP_SYS_RESOURCE), neither can the node's.
    # Otherwise containerd sets the configured value anyway, so the option has no disadvantage.
    text = config.read_text().replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true")
    config.write_text(text)
    (root / "etc/containerd/certs.d").mkdir(parents=True)
    kubelet = root / "etc/default/kubelet"
    kubelet.write_text(kubelet.read_text().rstrip("\n") + " --serialize-image-pulls=false\n")


def _programs(b: Build, root: Path) -> None:
    for name in ("containerd", "ctr", "containerd-shim-runc-v2"):
        b.copy(b.path("containerd") / name, root / "usr/local/bin" / name, mode=0o755)
    for name in ("kubeadm", "kubelet", "kubectl"):
        b.copy(b.path("kubernetes") / name, root / "usr/bin" / name, mode=0o755)
    (root / "kind/version").write_text(b.version)
    for name in CNI_PLUGINS:
        b.copy(root / "usr/lib/cni" / name, root / "opt/cni/bin" / name, mode=0o755)
    shutil.rmtree(root / "usr/lib/cni")
    spec = json.loads(b.run(["chroot", root, "/usr/local/bin/ctr", "oci", "spec"]))
    spec.setdefault("hooks", {}).setdefault("createContainer", []).append({"path": PRODUCT_FILES})
    del spec["process"]["rlimits"]
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(spec))


def _manifests(b: Build, kind: Path, root: Path) -> None:
    manifests = root / "kind/manifests"
    manifests.mkdir()
    b.copy(b.assets / "default-cni.yaml", manifests / "default-cni.yaml")
    source = (kind / "pkg/build/nodeimage/const_storage.go").read_text()
    (manifests / "default-storage.yaml").write_text(storage_manifest(source, _provisioner(b), STORAGE_HELPER))


def storage_manifest(source: str, provisioner: str, helper: str) -> str:
    """Extract kind's storage manifest from its Go source, with other images."""
    found = re.search(r"const defaultStorageManifest = (`.*)", source, flags=re.DOTALL)
    if not found:
        raise ValueError("kind's const_storage.go no longer contains defaultStorageManifest")
    names = {"storageProvisionerImage": provisioner, "storageHelperImage": helper}
    # A Go expression: raw strings in backquotes, joined with names by "+".
    parts = re.findall(r"`([^`]*)`|\+\s*(\w+)", found[1])
    return "".join(text or names[name] for text, name in parts if text or name)


def _provisioner(b: Build) -> str:
    version = b.path("local-path-provisioner").name.removeprefix("local-path-provisioner-").rpartition("-")[0]
    return f"{STORAGE_PROVISIONER}:v{version}"


def _images(b: Build, root: Path) -> Path:
    """Write all images of a node into one archive."""
    archive = oci.Archive(b.scratch / "oci", b.arch)
    kubernetes = b.path("kubernetes")
    listed = b.run([kubernetes / "kubeadm", "config", "images", "list", f"--kubernetes-version={b.version}"]).split()
    names = {image.rpartition(":")[0].rpartition("/")[2]: image for image in listed}

    def tree(name: str, files: dict[str, Path]) -> oci.Blob:
        folder = b.scratch / "layers" / name
        for target, source in files.items():
            b.copy(source, folder / target, mode=0o755)
        return archive.layer(folder)

    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        layer = tree(name, {f"usr/local/bin/{name}": kubernetes / name})
        archive.image([names[name]], [layer], {"Env": [PATH], "Entrypoint": [name]})
    etcd = tree("etcd", {"usr/local/bin/etcd": b.path("etcd") / "etcd"})
    archive.image([names["etcd"]], [etcd], {"Env": [PATH], "Entrypoint": ["etcd"]})
    coredns = tree("coredns", {"coredns": b.path("coredns") / "coredns"})
    archive.image([names["coredns"]], [coredns], {"Env": [PATH], "Entrypoint": ["/coredns"]})
    # containerd's configuration uses the first name, kubeadm the second.
    configured = re.search(r'sandbox_image = "(.+)"', _containerd_config(b))
    pause = tree("pause", {"pause": root / "usr/bin/catatonit"})
    archive.image(
        sorted({names["pause"], configured[1] if configured else names["pause"]}),
        [pause],
        {"Entrypoint": ["/pause", "-P"], "User": "65535:65535"},
    )
    busybox = archive.layer(_busybox(b, root))
    archive.image([STORAGE_HELPER], [busybox], {"Env": [PATH], "Cmd": ["sh"]})
    iptables = archive.layer(_iptables(b, root))
    proxy = tree("kube-proxy", {"usr/local/bin/kube-proxy": kubernetes / "kube-proxy"})
    archive.image([names["kube-proxy"]], [busybox, iptables, proxy], {"Env": [PATH], "Entrypoint": ["kube-proxy"]})
    network = tree(
        "pod-network",
        {
            "usr/local/bin/pod-network": b.assets / "pod-network.sh",
            "usr/local/bin/kube-router": b.path("kube-router") / "kube-router",
            "usr/local/libexec/policies/iptables-restore": b.assets / "policy-restore.sh",
            "usr/local/libexec/policies/ip6tables-restore": b.assets / "policy-restore.sh",
        },
    )
    archive.image([POD_NETWORK], [busybox, iptables, network], {"Env": [PATH], "Entrypoint": ["pod-network"]})
    storage = tree(
        "local-path-provisioner",
        {"usr/bin/local-path-provisioner": b.path("local-path-provisioner") / "local-path-provisioner"},
    )
    archive.image([_provisioner(b)], [storage], {"Env": [PATH]})
    written = archive.write(b.scratch / "images.tar")
    shutil.rmtree(b.scratch / "layers")
    shutil.rmtree(b.scratch / "oci")
    return written


def _containerd_config(b: Build) -> str:
    kind = b.go_module("sigs.k8s.io/kind", b.options["kind"])
    return (kind / "images/base/files/etc/containerd/config.toml").read_text()


def _busybox(b: Build, root: Path) -> Path:
    folder = b.scratch / "layers" / "busybox"
    program = b.copy(root / "bin/busybox", folder / "bin/busybox", mode=0o755)
    for applet in b.run([program, "--list"]).split():
        if applet != "busybox":
            (folder / "bin" / applet).symlink_to("busybox")
    for name in ("etc", "tmp", "usr/bin", "usr/sbin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "etc/passwd").write_text("root:x:0:0:root:/:/bin/sh\n")
    (folder / "etc/group").write_text("root:x:0:\n")
    return folder


def _iptables(b: Build, root: Path) -> Path:
    """Copy both variants of iptables, nft, conntrack, ipset and their libraries from the node's Debian system."""
    folder = b.scratch / "layers" / "iptables"
    programs = ["usr/sbin/xtables-legacy-multi", "usr/sbin/xtables-nft-multi", "usr/sbin/nft", "usr/sbin/conntrack"]
    programs += ["sbin/ipset" if (root / "sbin/ipset").exists() else "usr/sbin/ipset"]
    extensions = sorted((root / "usr/lib").glob("*/xtables/*.so"))
    wanted = {*programs, *(str(file.relative_to(root)) for file in extensions if not file.is_symlink())}
    told = b.run(["chroot", root, "ldd", *(f"/{name}" for name in sorted(wanted))])
    wanted |= {line.lstrip("/") for line in re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, flags=re.MULTILINE)}
    for name in sorted(wanted):
        b.copy((root / name).resolve(), folder / name, mode=0o755)
    for link in (file for file in extensions if file.is_symlink()):
        (folder / link.relative_to(root)).symlink_to(link.readlink())
    for name in ("iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"):
        b.copy(b.assets / "iptables.sh", folder / "usr/sbin" / name, mode=0o755)
    return folder
