"""The configuration as values: the tables and keys of `seatrial.toml`. Loaded paths are absolute, times in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from seatrial.model.names import checkout_id

__all__ = [
    "CONFIG_SCHEMA",
    "ClusterSpec",
    "ComposeSpec",
    "ImageSpec",
    "NamespaceSpec",
    "Project",
    "ReadySpec",
    "Reference",
    "ReleaseSpec",
    "Resources",
    "RunnerSpec",
    "ServiceSpec",
    "Timeouts",
]

CONFIG_SCHEMA: Final = 1


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Base of all tables: unknown keys are errors, keys are in kebab-case. Type checkers need the options repeated."""


class ClusterSpec(_Spec, frozen=True, kw_only=True):
    """`[cluster]`: the Kubernetes cluster."""

    provider: Annotated[
        Literal["kind", "existing"], Meta(description="kind: seatrial creates a cluster; existing: it uses yours")
    ] = "kind"
    name: Annotated[str, Meta(description="cluster name; the kubeconfig context is kind-NAME")] = "seatrial"
    config: Annotated[Path | None, Meta(description="kind: configuration file")] = None
    image: Annotated[
        str | None, Meta(description="kind: node image; default: that of the configuration file, else kind's own")
    ] = None
    context: Annotated[str | None, Meta(description="existing: kubeconfig context; no other one is used")] = None
    registry: Annotated[
        str | None, Meta(description="existing: registry that the cluster pulls from, host[:port]/path")
    ] = None
    kubeconfig: Annotated[
        Path | None, Meta(description="existing: kubeconfig file; default: $KUBECONFIG, else ~/.kube/config")
    ] = None
    allow_isolated_namespaces: Annotated[
        bool, Meta(description="existing: allow runner.isolated-namespaces to create cluster-wide roles and policies")
    ] = False


class ImageSpec(_Spec, frozen=True, kw_only=True):
    """`[[image]]`: an image to build."""

    name: Annotated[str, Meta(description="repository name without a tag; the tag is a digest of all inputs")]
    context: Annotated[Path, Meta(description="build context")] = Path()
    dockerfile: Annotated[Path | None, Meta(description="default: Dockerfile in the context")] = None
    target: Annotated[str | None, Meta(description="stage of the Dockerfile; default: the last one")] = None
    args: Annotated[dict[str, str], Meta(description='build arguments; "$NAME" is a variable of your environment')] = {}
    secrets: Annotated[
        tuple[str, ...], Meta(description="build secrets as docker takes them: id=NAME,src=FILE or id=NAME,env=VAR")
    ] = ()


ChartValue = str | bool | int | float
"""A value that keeps its type in a chart: in Helm's templates the text `"false"` is true."""


class ReleaseSpec(_Spec, frozen=True, kw_only=True):
    """`[[release]]`: a Helm release. Releases are installed in the order of the file."""

    name: Annotated[str, Meta(description="release name")]
    chart: Annotated[
        str,
        Meta(description="chart folder or archive, oci:// reference (without TLS on localhost), or name in repository"),
    ]
    namespace: Annotated[str, Meta(description="namespace; created if it does not exist")] = "default"
    repository: Annotated[str | None, Meta(description="URL of a chart repository")] = None
    version: Annotated[str | None, Meta(description="version of a chart from a registry or repository")] = None
    values: Annotated[tuple[Path, ...], Meta(description="values files, later ones win")] = ()
    set: Annotated[
        dict[str, ChartValue],
        Meta(description="single values by their path; strings, booleans and numbers keep their type"),
    ] = {}
    set_guest: Annotated[
        dict[str, ChartValue],
        Meta(
            description="more single values for guest environments (--namespace): to turn off what a cluster can have"
            " only once"
        ),
    ] = {}
    images: Annotated[
        dict[str, str],
        Meta(description="values path to [[image]] name: sets PATH.repository and PATH.tag to the built image"),
    ] = {}
    manifests: Annotated[
        tuple[Path, ...], Meta(description="manifests, files or folders, applied before the release")
    ] = ()
    pull_secrets: Annotated[
        tuple[str, ...], Meta(description="image pull Secrets to create: NAME=FILE with FILE a docker config.json")
    ] = ()
    timeout: Annotated[
        float | None,
        Meta(
            description="seconds to install it, and again to become ready; default: timeouts.install and timeouts.ready"
        ),
    ] = None


class ReadySpec(_Spec, frozen=True, kw_only=True):
    """`ready = {…}` of a service: the check that must succeed before the tests begin.

    Exactly one of http, sql, bucket, tcp, command.
    """

    http: Annotated[str | None, Meta(description="path that must answer with one of `status`")] = None
    status: Annotated[tuple[int, ...], Meta(description="HTTP status codes that mean ready")] = (200,)
    tcp: Annotated[bool, Meta(description="the port must be open; proves least")] = False
    sql: Annotated[str | None, Meta(description="query that PostgreSQL must answer, after a login with `uri-from`")] = (
        None
    )
    uri_from: Annotated[
        str | None, Meta(description="for sql: variable of runner.env or runner.env-from with the database URI")
    ] = None
    bucket: Annotated[
        str | None,
        Meta(description="S3 bucket that must be listable with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ] = None
    command: Annotated[
        tuple[str, ...], Meta(description="command in the runner's container that must end with exit code 0")
    ] = ()
    port: Annotated[int | None, Meta(description="port to check; default: the service's port")] = None


class ServiceSpec(_Spec, frozen=True, kw_only=True):
    """`[service.NAME]`: a service that tests get by `service("NAME")`."""

    port: Annotated[int, Meta(ge=1, le=65535, description="port of the Service")]
    namespace: Annotated[str | None, Meta(description="default: the runner's namespace")] = None
    name: Annotated[str | None, Meta(description="name of the Kubernetes Service; default: NAME")] = None
    scheme: Annotated[str, Meta(description="scheme of the service's URL")] = "http"
    ready: Annotated[ReadySpec | None, Meta(description="readiness check; default: a ready pod behind it")] = None


class Resources(_Spec, frozen=True, kw_only=True):
    """`[runner.resources]`: requests and limits of the container `tests`, as quantities of Kubernetes."""

    requests: Annotated[dict[str, str], Meta(description="what the node reserves for the tests")] = msgspec.field(
        default_factory=lambda: {"cpu": "250m", "memory": "256Mi"}
    )
    limits: Annotated[dict[str, str], Meta(description="most that the tests may use")] = msgspec.field(
        default_factory=lambda: {"memory": "2Gi"}
    )


class Reference(NamedTuple):
    """`secret/NAME/KEY` or `configmap/NAME/KEY`: a value in a Secret or ConfigMap."""

    kind: str
    name: str
    key: str


class RunnerSpec(_Spec, frozen=True, kw_only=True):
    """`[runner]`: the pod that runs the tests."""

    image: Annotated[str, Meta(description="name of an [[image]], or any image reference")]
    namespace: Annotated[str, Meta(description="namespace of the pod")] = "default"
    command: Annotated[
        tuple[str, ...], Meta(description="command that runs the tests; * in paths is expanded in the pod")
    ] = ("pytest",)
    pod: Annotated[str, Meta(description="name of the pod")] = "test-runner"
    workdir: Annotated[str | None, Meta(description="working directory; default: the image's WORKDIR")] = None
    env: Annotated[dict[str, str], Meta(description="variables of the tests")] = {}
    env_from: Annotated[
        dict[str, str],
        Meta(
            description='variables from the cluster: VAR = "secret/NAME/KEY", "configmap/NAME/KEY", or "namespace" for'
            " the runner's namespace"
        ),
    ] = {}
    sync: Annotated[
        tuple[str, ...],
        Meta(
            description="folders that are sent to the runner pod where a build would give the same; all else rebuilds."
            " Relative to the build context of the runner's image, for an image of others to this file"
        ),
    ] = ("tests", "src", "packages")
    rebuild: Annotated[
        tuple[str, ...],
        Meta(
            description="files below sync whose change rebuilds the image although they could be sent (glob patterns,"
            " relative to the build context); files outside of sync always rebuild"
        ),
    ] = ()
    resources: Annotated[Resources, Meta(description="requests and limits")] = Resources()
    service_account: Annotated[
        str | None, Meta(description="an existing ServiceAccount; default: seatrial creates one without rights")
    ] = None
    rules: Annotated[
        tuple[dict[str, tuple[str, ...]], ...],
        Meta(description="RBAC rules of the tests in the runner's namespace: {apiGroups, resources, verbs}"),
    ] = ()
    isolated_namespaces: Annotated[
        bool, Meta(description="let tests create their own namespaces; creates cluster-wide roles and policies")
    ] = False
    artifacts: Annotated[tuple[str, ...], Meta(description="paths in the pod that are collected after the tests")] = ()
    collect_into_tree: Annotated[
        tuple[str, ...],
        Meta(
            description="files that tests create or change in folders of sync and that are copied to the working tree:"
            " snapshots, recordings (glob patterns)"
        ),
    ] = ()
    report_options: Annotated[
        tuple[str, ...],
        Meta(description="options of plugins whose value is a file that they write; seatrial copies it to that path"),
    ] = ()

    @property
    def has_rights(self) -> bool:
        """Whether the tests have any right in the Kubernetes API."""
        return bool(self.rules or self.service_account or self.isolated_namespaces)

    @property
    def values(self) -> dict[str, str]:
        """Variables whose values the configuration has."""
        return {**self.env, **{name: self.namespace for name, source in self.env_from.items() if source == "namespace"}}

    @property
    def references(self) -> dict[str, Reference]:
        """Variables whose values are in Secrets and ConfigMaps of the runner's namespace."""
        return {
            name: Reference(*source.split("/", 2)) for name, source in self.env_from.items() if source != "namespace"
        }


class NamespaceSpec(_Spec, frozen=True, kw_only=True):
    """`[namespace]`: guardrails of each namespace that `--namespace` creates."""

    quota: Annotated[dict[str, str], Meta(description="ResourceQuota")] = msgspec.field(
        default_factory=lambda: {"pods": "50", "limits.memory": "8Gi", "services.nodeports": "0"}
    )
    requests: Annotated[dict[str, str], Meta(description="requests of containers that set none")] = msgspec.field(
        default_factory=lambda: {"cpu": "50m", "memory": "64Mi"}
    )
    limits: Annotated[dict[str, str], Meta(description="limits of containers that set none")] = msgspec.field(
        default_factory=lambda: {"memory": "512Mi"}
    )
    pod_security: Annotated[
        Literal["privileged", "baseline", "restricted"],
        Meta(description="enforced Pod Security Standard; baseline refuses host ports"),
    ] = "baseline"
    isolated: Annotated[
        bool, Meta(description="NetworkPolicies: no traffic from other namespaces, none to them except DNS")
    ] = True


class ComposeSpec(_Spec, frozen=True, kw_only=True):
    """`[compose]`: the same services in Docker Compose, for `--env compose`."""

    file: Annotated[Path, Meta(description="Compose file")]
    profiles: Annotated[tuple[str, ...], Meta(description="profiles to enable")] = ()
    services: Annotated[
        tuple[str, ...], Meta(description="services to start, with those they depend on; default: all")
    ] = ()
    env_file: Annotated[
        tuple[Path, ...], Meta(description="files with variables for the Compose file; default: Compose's own .env")
    ] = ()
    env: Annotated[
        dict[str, str],
        Meta(
            description="more variables of the tests; each variable of runner.env-from needs a value here."
            " SEATRIAL_SERVICE_NAME is HOST:PORT of a service that has another name or port in Compose"
        ),
    ] = {}
    images: Annotated[dict[str, str], Meta(description="Compose service to the [[image]] that it runs")] = {}
    host_ports: Annotated[bool, Meta(description="publish the host ports of the Compose file")] = False


class Timeouts(_Spec, frozen=True, kw_only=True):
    """`[timeouts]`: how long each step may take, in seconds."""

    cluster: Annotated[float, Meta(description="create the cluster")] = 240
    build: Annotated[float, Meta(description="build an image")] = 1200
    deliver: Annotated[float, Meta(description="deliver the images to the nodes")] = 600
    install: Annotated[float, Meta(description="install a release")] = 300
    ready: Annotated[float, Meta(description="wait until everything is ready")] = 300
    test: Annotated[float, Meta(description="run the tests")] = 3600
    run: Annotated[float, Meta(description="the whole run")] = 7200


class Project(_Spec, frozen=True, kw_only=True):
    """The configuration of a project, and its directory."""

    root: Path
    id: Annotated[
        str | None,
        Meta(
            description="project id, the label of the project's images and Kubernetes objects; default: derived from"
            " the path"
        ),
    ] = msgspec.field(default=None, name="project")
    cluster: ClusterSpec = ClusterSpec()
    image: tuple[ImageSpec, ...] = ()
    release: tuple[ReleaseSpec, ...] = ()
    service: dict[str, ServiceSpec] = {}
    runner: RunnerSpec
    namespace: NamespaceSpec = NamespaceSpec()
    compose: ComposeSpec | None = None
    environment: Annotated[
        Literal["kubernetes", "compose"], Meta(description="environment of commands without `--env`")
    ] = "kubernetes"
    timeouts: Timeouts = Timeouts()
    version: Annotated[Literal[1], Meta(description="version of the schema")] = 1

    @property
    def identity(self) -> str:
        """The project id: the configured one, else an id of this checkout on this machine."""
        return self.id or checkout_id(self.root)

    @property
    def used_namespaces(self) -> tuple[str, ...]:
        """The namespaces of the releases and of the runner, each once."""
        return tuple(dict.fromkeys([*(release.namespace for release in self.release), self.runner.namespace]))

    def pull_secrets_in(self, namespace: str) -> tuple[str, ...]:
        """Return the names of the image pull Secrets that releases need in a namespace."""
        entries = [
            entry for release in self.release if release.namespace == namespace for entry in release.pull_secrets
        ]
        return tuple(dict.fromkeys(entry.partition("=")[0] for entry in entries))
