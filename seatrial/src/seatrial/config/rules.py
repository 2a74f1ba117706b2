"""Check rules between the values of a project: names, references, exclusive keys.

Pure, except that the suggested project id is random.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from seatrial.config.check import Where
from seatrial.config.positions import KeyPath
from seatrial.config.problem import Problem, did_you_mean
from seatrial.model.errors import UsageError
from seatrial.model.names import ISOLATED_PREFIX, dns_label, new_project_id
from seatrial.model.spec import Project, ReadySpec
from seatrial.pod.fixtures.endpoint import service_overrides, service_variable

__all__ = ["broken"]

# A reference without its tag: https://github.com/distribution/reference/blob/main/reference.go
_REPOSITORY: Final = re.compile(r"(?:[a-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*")
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONG_OPTION: Final = re.compile(r"--[A-Za-z0-9][-_.A-Za-z0-9]*")
_REFERENCE: Final = re.compile(r"(secret|configmap)/[a-z0-9][a-z0-9.-]*/[-._A-Za-z0-9]+|namespace")


def broken(project: Project, where: Where) -> list[Problem]:
    """Return a problem for each broken rule. The shape of the project must have been checked."""
    rules = (_identity, _cluster, _images, _releases, _services, _runner, _compose)
    return [Problem(where(key), key, message, hint) for rule in rules for key, message, hint in rule(project)]


_Found = Iterator[tuple[KeyPath, str, str]]


def _label(key: KeyPath, value: str) -> _Found:
    try:
        dns_label(value, what="name")
    except UsageError as error:
        yield key, f"{value!r} is not a DNS label: {error.reason}", error.hint


def _duplicates(table: str, names: list[str]) -> _Found:
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in first:
            yield (table, index, "name"), f"{name!r} is the name of {table}[{first[name]}], too", "rename one of them"
        first.setdefault(name, index)


def _identity(project: Project) -> _Found:
    if project.id is not None:
        yield from _label(("project",), project.id)
    elif project.cluster.provider == "existing":
        yield (
            ("project",),
            'is missing: with provider = "existing", the ids of projects tell their objects in the cluster apart',
            f'add project = "{new_project_id(project.root.name)}" above the first table, and commit it',
        )


def _cluster(project: Project) -> _Found:
    cluster = project.cluster
    yield from _label(("cluster", "name"), cluster.name)
    if cluster.provider == "existing":
        if not cluster.context:
            yield (
                ("cluster", "context"),
                'is missing: with provider = "existing", seatrial uses only the context that is named here',
                'add context = "…"; list them: kubectl config get-contexts -o name',
            )
        for name in ("config", "image"):
            if getattr(cluster, name):
                yield ("cluster", name), 'requires provider = "kind"', "remove it"
    else:
        for name in ("context", "registry", "kubeconfig", "allow_isolated_namespaces"):
            if getattr(cluster, name):
                key = ("cluster", name.replace("_", "-"))
                yield key, 'requires provider = "existing"', 'remove it, or set provider = "existing"'


def _images(project: Project) -> _Found:
    yield from _duplicates("image", [image.name for image in project.image])
    for index, image in enumerate(project.image):
        at: KeyPath = ("image", index)
        if not _REPOSITORY.fullmatch(image.name):
            hint = f'write "{image.name.partition(":")[0].lower()}"'
            yield (*at, "name"), f"{image.name!r} is not a repository name without a tag", hint
        for number, secret in enumerate(image.secrets):
            parts = dict(part.partition("=")[::2] for part in secret.split(","))
            if not parts.get("id") or not (parts.get("src") or parts.get("env")):
                yield (*at, "secrets", number), f"{secret!r} is not id=NAME,src=FILE or id=NAME,env=VAR", ""


def _releases(project: Project) -> _Found:
    images = [image.name for image in project.image]
    seen = Counter[tuple[str, str]]()
    for index, release in enumerate(project.release):
        at: KeyPath = ("release", index)
        yield from _label((*at, "namespace"), release.namespace)
        # https://github.com/helm/helm/blob/main/pkg/chart/common/util: at most 53, a DNS subdomain
        if not re.fullmatch(r"[a-z0-9](?:[-a-z0-9]{0,51}[a-z0-9])?", release.name):
            message = f"{release.name!r} is not a release name of Helm"
            yield (*at, "name"), message, "use at most 53 characters of a-z, 0-9 and '-'"
        seen[release.namespace, release.name] += 1
        if seen[release.namespace, release.name] > 1:
            message = f"namespace {release.namespace!r} has two releases {release.name!r}"
            yield (*at, "name"), message, "rename one of them"
        for path, image in release.images.items():
            if image not in images:
                yield (
                    (*at, "images", path),
                    f"{image!r} is not an [[image]] of this project",
                    did_you_mean(image, images),
                )
        for number, secret in enumerate(release.pull_secrets):
            name, _, file = secret.partition("=")
            if not name or not file:
                yield (*at, "pull-secrets", number), f"{secret!r} is not NAME=FILE", ""


def _services(project: Project) -> _Found:
    for name, service in project.service.items():
        at: KeyPath = ("service", name)
        if service.name is None:
            yield from _label(at, name)
        else:
            yield from _label((*at, "name"), service.name)
        if service.namespace is not None:
            yield from _label((*at, "namespace"), service.namespace)
        if service.ready is not None:
            yield from _ready((*at, "ready"), service.ready)


def _isolation(project: Project) -> _Found:
    cluster, runner = project.cluster, project.runner
    if cluster.provider == "existing" and not cluster.allow_isolated_namespaces:
        yield (
            ("runner", "isolated-namespaces"),
            'needs cluster-wide roles and policies: with provider = "existing" they have to be allowed',
            "add allow-isolated-namespaces = true to [cluster], or remove isolated-namespaces",
        )
    releases = ((("release", index, "namespace"), each.namespace) for index, each in enumerate(project.release))
    for key, namespace in ((("runner", "namespace"), runner.namespace), *releases):
        if namespace.startswith(ISOLATED_PREFIX):
            message = f"{namespace!r} begins with {ISOLATED_PREFIX}: with isolated-namespaces the tests could delete it"
            yield key, message, "choose another name"


def _ready(at: KeyPath, ready: ReadySpec) -> _Found:
    asked = [name for name in ("http", "sql", "bucket", "tcp", "command") if getattr(ready, name)]
    if len(asked) != 1:
        given = " and ".join(asked) or "nothing"
        yield (
            at,
            f"has {given}, should have exactly one of http, sql, bucket, tcp, command",
            'for example { http = "/health" }',
        )
    if bool(ready.sql) != bool(ready.uri_from):
        missing = "uri-from" if ready.sql else "sql"
        yield (
            (*at, missing),
            "is missing: a query needs both",
            'for example sql = "SELECT 1", uri-from = "DATABASE_URI"',
        )
    if ready.http is not None and not ready.http.startswith("/"):
        yield (*at, "http"), f"{ready.http!r} is not a path", f'write "/{ready.http}"'


def _runner(project: Project) -> _Found:
    runner = project.runner
    yield from _label(("runner", "namespace"), runner.namespace)
    yield from _label(("runner", "pod"), runner.pod)
    if not runner.command:
        yield ("runner", "command"), "is empty", 'for example ["pytest"]'
    if runner.isolated_namespaces and runner.service_account:
        message = "gives rights to seatrial's ServiceAccount, but runner.service-account names another one"
        yield ("runner", "isolated-namespaces"), message, "remove it, and give that ServiceAccount the rights yourself"
    if runner.isolated_namespaces:
        yield from _isolation(project)
    images = [image.name for image in project.image]
    if runner.image not in images and not re.search(r"[:/]", runner.image):
        hint = did_you_mean(runner.image, images) or "add an [[image]], or a tag"
        yield ("runner", "image"), f"{runner.image!r} is neither an [[image]] nor a reference with a tag", hint
    for name, reference in runner.env_from.items():
        if not _ENV_NAME.fullmatch(name):
            yield ("runner", "env-from", name), f"{name!r} is not the name of a variable", ""
        if not _REFERENCE.fullmatch(reference):
            message = f"{reference!r} is not secret/NAME/KEY, configmap/NAME/KEY or namespace"
            yield ("runner", "env-from", name), message, ""
    for name in sorted(runner.env.keys() & runner.env_from.keys()):
        yield ("runner", "env-from", name), "is in runner.env, too", "remove one of them"
    for number, path in enumerate(runner.sync):
        if path.startswith("/") or ".." in path.split("/"):
            message = f"{path!r} is not below the build context of the runner's image"
            yield ("runner", "sync", number), message, "write it relative to the build context"
    for number, pattern in enumerate(runner.collect_into_tree):
        if pattern.startswith("/") or ".." in pattern.split("/"):
            message = f"{pattern!r} is not below the build context of the runner's image"
            yield ("runner", "collect-into-tree", number), message, "write it relative to the build context"
    for number, option in enumerate(runner.report_options):
        if not _LONG_OPTION.fullmatch(option):
            message = f"{option!r} is not a long option without a value"
            yield ("runner", "report-options", number), message, 'for example "--my-report"'


def _compose(project: Project) -> _Found:
    compose, runner = project.compose, project.runner
    if compose is None:
        if project.environment == "compose":
            yield ("environment",), "requires a table [compose]", 'add [compose] with file = "compose.yaml"'
        return
    for name in compose.env:
        if not _ENV_NAME.fullmatch(name):
            yield ("compose", "env", name), f"{name!r} is not the name of a variable", ""
    for name in project.service:
        try:
            service_overrides([name], compose.env, ())
        except ValueError as error:
            variable = service_variable(name)
            message = str(error).removeprefix(f"{variable}: ")
            yield ("compose", "env", variable), message, f'{variable} = "{name}:{project.service[name].port}"'
    images = [image.name for image in project.image]
    for service, image in compose.images.items():
        if image not in images:
            key = ("compose", "images", service)
            yield key, f"{image!r} is not an [[image]] of this project", did_you_mean(image, images)
    if runner.pod in compose.services:
        yield ("compose", "services"), f"{runner.pod!r} is the name of the runner", "rename the service, or runner.pod"
