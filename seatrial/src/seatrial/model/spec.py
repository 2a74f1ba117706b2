"""What the user asks for: `seatrial.toml` as values. Paths are absolute once loaded; seconds are seconds."""

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
    """Base: unknown keys are errors, keys are written-like-this. Type checkers want the options repeated."""


class ClusterSpec(_Spec, frozen=True, kw_only=True):
    """`[cluster]`: where everything runs."""

    provider: Annotated[Literal["kind", "existing"], Meta(description="who makes the cluster")] = "kind"
    name: Annotated[str, Meta(description="cluster name; kind's context is kind-NAME")] = "seatrial"
    config: Annotated[Path | None, Meta(description="kind configuration file")] = None
    image: Annotated[str | None, Meta(description="node image; default: the one of the config, else kind's own")] = None
    context: Annotated[str | None, Meta(description="existing: the kubeconfig context that may be used")] = None
    registry: Annotated[
        str | None, Meta(description="existing: registry that the cluster pulls from, host[:port]/path")
    ] = None
    kubeconfig: Annotated[Path | None, Meta(description="existing: kubeconfig file; default as kubectl finds it")] = (
        None
    )
    allow_isolated_namespaces: Annotated[
        bool, Meta(description="existing: let runner.isolated-namespaces create cluster-wide roles and policies there")
    ] = False


class ImageSpec(_Spec, frozen=True, kw_only=True):
    """`[[image]]`: an image that is built from this project."""

    name: Annotated[str, Meta(description="repository name without a tag; the tag is the digest of the inputs")]
    context: Annotated[Path, Meta(description="build context")] = Path()
    dockerfile: Annotated[Path | None, Meta(description="default: Dockerfile in the context")] = None
    target: Annotated[str | None, Meta(description="stage of the Dockerfile")] = None
    args: Annotated[dict[str, str], Meta(description="build arguments")] = {}
    secrets: Annotated[
        tuple[str, ...], Meta(description="build secrets as docker takes them: id=NAME,src=FILE or id=NAME,env=VAR")
    ] = ()


ChartValue = str | bool | int | float
"""What a chart gets as it is: to Helm's templates `"false"` is text, and text is true."""


class ReleaseSpec(_Spec, frozen=True, kw_only=True):
    """`[[release]]`: a Helm release; they are installed in the order of the file."""

    name: Annotated[str, Meta(description="release name")]
    chart: Annotated[
        str,
        Meta(description="chart directory or archive, oci:// reference (on localhost without TLS), NAME in repository"),
    ]
    namespace: Annotated[str, Meta(description="namespace; made if it is not there")] = "default"
    repository: Annotated[str | None, Meta(description="URL of the chart repository")] = None
    version: Annotated[str | None, Meta(description="chart version, for OCI and repositories")] = None
    values: Annotated[tuple[Path, ...], Meta(description="values files, later ones win")] = ()
    set: Annotated[
        dict[str, ChartValue],
        Meta(description="single values by their path; text stays text, true, false and numbers are what they are"),
    ] = {}
    set_beside: Annotated[
        dict[str, ChartValue],
        Meta(description="single values more with --namespace: what only one environment of a cluster can have"),
    ] = {}
    images: Annotated[
        dict[str, str],
        Meta(description="values path -> [[image]] name: PATH.repository and PATH.tag are set to the built image"),
    ] = {}
    manifests: Annotated[
        tuple[Path, ...], Meta(description="manifests (files or folders) applied before the release")
    ] = ()
    pull_secrets: Annotated[
        tuple[str, ...], Meta(description="image pull Secrets, NAME=FILE with FILE a docker config.json")
    ] = ()
    timeout: Annotated[float | None, Meta(description="seconds until it must be ready; default: timeouts.ready")] = None


class ReadySpec(_Spec, frozen=True, kw_only=True):
    """`ready = {…}` of a service: the question whose answer says that it works.

    Exactly one of http, sql, bucket, tcp, command.
    """

    http: Annotated[str | None, Meta(description="path that answers with one of `status`")] = None
    status: Annotated[tuple[int, ...], Meta(description="HTTP status codes that mean ready")] = (200,)
    tcp: Annotated[bool, Meta(description="an open port is enough")] = False
    sql: Annotated[str | None, Meta(description="query that PostgreSQL answers, logged in by `uri-from`")] = None
    uri_from: Annotated[
        str | None, Meta(description="for sql: variable of runner.env or runner.env-from with a database URI")
    ] = None
    bucket: Annotated[
        str | None, Meta(description="S3 bucket that can be listed, with the keys of AWS_ACCESS_KEY_ID and so on")
    ] = None
    command: Annotated[tuple[str, ...], Meta(description="argv run in the runner's container; exit 0 means ready")] = ()
    port: Annotated[int | None, Meta(description="port to ask, if not the service's own")] = None


class ServiceSpec(_Spec, frozen=True, kw_only=True):
    """`[service.NAME]`: something that tests may ask for."""

    port: Annotated[int, Meta(ge=1, le=65535, description="port of the Service")]
    namespace: Annotated[str | None, Meta(description="default: the runner's namespace")] = None
    name: Annotated[str | None, Meta(description="name of the Kubernetes Service, if it is not NAME")] = None
    scheme: Annotated[str, Meta(description="for URLs made of the endpoint")] = "http"
    ready: Annotated[ReadySpec | None, Meta(description="what ready means; default: an endpoint is ready")] = None


class Resources(_Spec, frozen=True, kw_only=True):
    """Requests and limits of the runner's `tests` container, as Kubernetes writes quantities."""

    requests: dict[str, str] = msgspec.field(default_factory=lambda: {"cpu": "250m", "memory": "256Mi"})
    limits: dict[str, str] = msgspec.field(default_factory=lambda: {"memory": "2Gi"})


class Reference(NamedTuple):
    """`secret/NAME/KEY` or `configmap/NAME/KEY`: a value in an object of the cluster."""

    kind: str
    name: str
    key: str


class RunnerSpec(_Spec, frozen=True, kw_only=True):
    """`[runner]`: the pod that runs the tests."""

    image: Annotated[str, Meta(description="name of an [[image]], or any image reference")]
    namespace: Annotated[str, Meta(description="namespace of the pod")] = "default"
    command: Annotated[
        tuple[str, ...], Meta(description="what runs the tests; * is expanded in the pod, in paths only")
    ] = ("pytest",)
    pod: Annotated[str, Meta(description="name of the pod")] = "test-runner"
    workdir: Annotated[str | None, Meta(description="directory in the image; default: the image's WORKDIR")] = None
    env: Annotated[dict[str, str], Meta(description="environment of the tests")] = {}
    env_from: Annotated[
        dict[str, str],
        Meta(
            description='environment out of the cluster: VAR = "secret/NAME/KEY", "configmap/NAME/KEY" or "namespace"'
            " (the runner's)"
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
        str | None, Meta(description="an existing ServiceAccount; default: our own without rights")
    ] = None
    rules: Annotated[
        tuple[dict[str, tuple[str, ...]], ...],
        Meta(
            description="RBAC rules of our own ServiceAccount in the runner's namespace: {apiGroups, resources, verbs}"
        ),
    ] = ()
    isolated_namespaces: Annotated[
        bool, Meta(description="let the tests create namespaces of their own; creates cluster-wide roles and policies")
    ] = False
    artifacts: Annotated[tuple[str, ...], Meta(description="paths in the image brought home after the tests")] = ()
    report_options: Annotated[
        tuple[str, ...],
        Meta(
            description="options of plugins whose value is a file that they write; it comes to the path that was asked"
            " for"
        ),
    ] = ()

    @property
    def has_rights(self) -> bool:
        """Whether the tests may ask the Kubernetes API for anything."""
        return bool(self.rules or self.service_account or self.isolated_namespaces)

    @property
    def values(self) -> dict[str, str]:
        """Variables whose values are known without the cluster's help."""
        return {**self.env, **{name: self.namespace for name, source in self.env_from.items() if source == "namespace"}}

    @property
    def references(self) -> dict[str, Reference]:
        """Variables whose values are in objects of the runner's namespace."""
        return {
            name: Reference(*source.split("/", 2)) for name, source in self.env_from.items() if source != "namespace"
        }


class NamespaceSpec(_Spec, frozen=True, kw_only=True):
    """`[namespace]`: what each namespace gets that `--namespace` makes beside others."""

    quota: Annotated[dict[str, str], Meta(description="its ResourceQuota")] = msgspec.field(
        default_factory=lambda: {"pods": "50", "limits.memory": "8Gi", "services.nodeports": "0"}
    )
    requests: Annotated[dict[str, str], Meta(description="of containers that say none")] = msgspec.field(
        default_factory=lambda: {"cpu": "50m", "memory": "64Mi"}
    )
    limits: Annotated[dict[str, str], Meta(description="of containers that say none")] = msgspec.field(
        default_factory=lambda: {"memory": "512Mi"}
    )
    pod_security: Annotated[
        Literal["privileged", "baseline", "restricted"],
        Meta(description="Pod Security Standard that is enforced; baseline refuses host ports"),
    ] = "baseline"
    isolated: Annotated[
        bool, Meta(description="NetworkPolicies: nothing in from other namespaces, nothing out to them but DNS")
    ] = True


class ComposeSpec(_Spec, frozen=True, kw_only=True):
    """`[compose]`: the same services by Docker Compose."""

    file: Annotated[Path, Meta(description="Compose file")]


class Timeouts(_Spec, frozen=True, kw_only=True):
    """`[timeouts]`, in seconds."""

    cluster: float = 240
    build: float = 1200
    deliver: float = 600
    install: float = 300
    ready: float = 300
    test: float = 3600
    run: Annotated[float, Meta(description="the whole run")] = 7200


class Project(_Spec, frozen=True, kw_only=True):
    """The whole file, and where it was found."""

    root: Path
    id: Annotated[
        str | None,
        Meta(description="project id: marks images and Kubernetes objects as this project's; default: from the path"),
    ] = msgspec.field(default=None, name="project")
    cluster: ClusterSpec = ClusterSpec()
    image: tuple[ImageSpec, ...] = ()
    release: tuple[ReleaseSpec, ...] = ()
    service: dict[str, ServiceSpec] = {}
    runner: RunnerSpec
    namespace: NamespaceSpec = NamespaceSpec()
    compose: ComposeSpec | None = None
    timeouts: Timeouts = Timeouts()
    version: Annotated[Literal[1], Meta(description="version of this schema")] = 1

    @property
    def identity(self) -> str:
        """The configured project id. Without one: an id of this checkout on this machine."""
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
