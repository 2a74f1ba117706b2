from __future__ import annotations

import re

import pytest
from seatrial.config import load

from .configurations import MINIMAL, refused

OTHERS = 'project = "a-1"\n[cluster]\nprovider = "existing"\ncontext = "theirs"\nregistry = "r.example.com/team"\n'


def test_isolated_namespaces_in_an_existing_cluster_have_to_be_allowed(root):
    assert refused(OTHERS + MINIMAL + "isolated-namespaces = true\n") == [
        (
            "seatrial.toml:8: runner.isolated-namespaces: needs cluster-wide roles and policies: with provider ="
            ' "existing" they have to be allowed; add allow-isolated-namespaces = true to [cluster], or remove'
            " isolated-namespaces"
        ),
    ]
    allowed = OTHERS + "allow-isolated-namespaces = true\n" + MINIMAL + "isolated-namespaces = true\n"
    (root / "seatrial.toml").write_text(allowed)
    assert load(environ={}).project.cluster.allow_isolated_namespaces
    assert refused("[cluster]\nallow-isolated-namespaces = true\n" + MINIMAL) == [
        (
            'seatrial.toml:2: cluster.allow-isolated-namespaces: requires provider = "existing"; remove it, or set'
            ' provider = "existing"'
        ),
    ]


def test_namespaces_of_the_project_must_not_have_the_prefix_of_isolated_namespaces(root):
    text = '[[release]]\nname = "a"\nchart = "charts/app"\nnamespace = "test-data"\n' + MINIMAL
    assert refused(text + 'namespace = "test-a"\nisolated-namespaces = true\n') == [
        (
            "seatrial.toml:4: release[0].namespace: 'test-data' begins with test-: with isolated-namespaces the tests"
            " could delete it; choose another name"
        ),
        (
            "seatrial.toml:7: runner.namespace: 'test-a' begins with test-: with isolated-namespaces the tests could"
            " delete it; choose another name"
        ),
    ]
    (root / "seatrial.toml").write_text(text + 'namespace = "test-a"\n')
    assert load(environ={}).project.runner.namespace == "test-a"


def test_existing_cluster_needs_a_context_and_excludes_keys_of_kind(root):
    assert refused('project = "a-1"\n[cluster]\nprovider = "existing"\nimage = "x:1"\n' + MINIMAL) == [
        (
            'seatrial.toml:2: cluster.context: is missing: with provider = "existing", seatrial uses only the context'
            ' that is named here; add context = "…"; list them: kubectl config get-contexts -o name'
        ),
        'seatrial.toml:4: cluster.image: requires provider = "kind"; remove it',
    ]
    assert refused('[cluster]\ncontext = "production"\n' + MINIMAL) == [
        'seatrial.toml:2: cluster.context: requires provider = "existing"; remove it, or set provider = "existing"'
    ]


def test_existing_cluster_without_project_id_is_refused_with_the_line_to_paste(root):
    cluster = '[cluster]\nprovider = "existing"\ncontext = "theirs"\nregistry = "r.example.com/team"\n'
    (line,) = refused(cluster + MINIMAL)

    said = re.fullmatch(
        r"seatrial\.toml: project: is missing: .* the ids of projects tell their objects in the cluster apart;"
        r' add (project = "[-a-z0-9]+-[0-9a-f]{8}") above the first table, and commit it',
        line,
    )
    assert said
    (root / "seatrial.toml").write_text(f"{said[1]}\n{cluster}{MINIMAL}")
    assert load(environ={}).project.identity == said[1].split('"')[1]
    (other,) = refused(cluster + MINIMAL)
    assert said[1] not in other, "two projects never get the same suggestion"


@pytest.mark.parametrize("value", ['"Shop_1"', '""', '"-a"', f'"{"x" * 64}"', "7"])
def test_project_id_that_is_not_a_label_is_refused(root, value):
    (line,) = refused(f"project = {value}\n" + MINIMAL)

    assert line.startswith("seatrial.toml:1: project: ")


def test_names_and_references_between_tables_are_checked(root):
    text = """\
[cluster]
name = "Demo_1"
[[image]]
name = "tests"
[[image]]
name = "tests"
[[image]]
name = "Other:1"
secrets = ["id=x"]
[[release]]
name = "A"
chart = "charts/app"
images = { api = "test" }
pull-secrets = ["x"]
[[release]]
name = "same"
chart = "charts/app"
namespace = "-"
[[release]]
name = "same"
chart = "charts/app"
[[release]]
name = "same"
chart = "charts/app"
[service.a_b]
port = 1
ready = { }
[service.c]
port = 1
name = "C"
namespace = "N"
ready = { http = "health", tcp = true }
[runner]
image = "test"
command = []
namespace = "x."
sync = ["/etc", "../x", "ok"]
collect-into-tree = ["/x", "tests/../../x", "tests/**"]
report-options = ["-x", "--html", "--mine=a"]
env = { A = "1" }
env-from = { A = "secret/x", "B-" = "secret/x/y" }
"""
    label = (
        "is not a DNS label: Kubernetes takes at most 63 characters of a-z, 0-9 and '-', and no '-' at the beginning"
        " or end; use a name such as 'my-tests'"
    )
    assert refused(text) == [
        f"seatrial.toml:2: cluster.name: 'Demo_1' {label}",
        "seatrial.toml:6: image[1].name: 'tests' is the name of image[0], too; rename one of them",
        "seatrial.toml:8: image[2].name: 'Other:1' is not a repository name without a tag; write \"other\"",
        "seatrial.toml:9: image[2].secrets[0]: 'id=x' is not id=NAME,src=FILE or id=NAME,env=VAR",
        (
            "seatrial.toml:11: release[0].name: 'A' is not a release name of Helm; use at most 53 characters of a-z,"
            " 0-9 and '-'"
        ),
        "seatrial.toml:13: release[0].images.api: 'test' is not an [[image]] of this project; did you mean 'tests'?",
        "seatrial.toml:14: release[0].pull-secrets[0]: 'x' is not NAME=FILE",
        f"seatrial.toml:18: release[1].namespace: '-' {label}",
        "seatrial.toml:23: release[3].name: namespace 'default' has two releases 'same'; rename one of them",
        f"seatrial.toml:25: service.a_b: 'a_b' {label}",
        (
            "seatrial.toml:27: service.a_b.ready: has nothing, should have exactly one of http, sql, bucket, tcp,"
            ' command; for example { http = "/health" }'
        ),
        f"seatrial.toml:30: service.c.name: 'C' {label}",
        f"seatrial.toml:31: service.c.namespace: 'N' {label}",
        (
            "seatrial.toml:32: service.c.ready: has http and tcp, should have exactly one of http, sql, bucket, tcp,"
            ' command; for example { http = "/health" }'
        ),
        "seatrial.toml:32: service.c.ready.http: 'health' is not a path; write \"/health\"",
        (
            "seatrial.toml:34: runner.image: 'test' is neither an [[image]] nor a reference with a tag; did you mean"
            " 'tests'?"
        ),
        'seatrial.toml:35: runner.command: is empty; for example ["pytest"]',
        f"seatrial.toml:36: runner.namespace: 'x.' {label}",
        (
            "seatrial.toml:37: runner.sync[0]: '/etc' is not below the build context of the runner's image; write it"
            " relative to the build context"
        ),
        (
            "seatrial.toml:37: runner.sync[1]: '../x' is not below the build context of the runner's image; write it"
            " relative to the build context"
        ),
        (
            "seatrial.toml:38: runner.collect-into-tree[0]: '/x' is not below the build context of the runner's image;"
            " write it relative to the build context"
        ),
        (
            "seatrial.toml:38: runner.collect-into-tree[1]: 'tests/../../x' is not below the build context of the"
            " runner's image; write it relative to the build context"
        ),
        (
            "seatrial.toml:39: runner.report-options[0]: '-x' is not a long option without a value; for example"
            ' "--my-report"'
        ),
        (
            "seatrial.toml:39: runner.report-options[2]: '--mine=a' is not a long option without a value; for example"
            ' "--my-report"'
        ),
        "seatrial.toml:41: runner.env-from.A: 'secret/x' is not secret/NAME/KEY, configmap/NAME/KEY or namespace",
        "seatrial.toml:41: runner.env-from.B-: 'B-' is not the name of a variable",
        "seatrial.toml:41: runner.env-from.A: is in runner.env, too; remove one of them",
    ]


def test_compose_environment_requires_a_compose_table(root):
    assert refused('environment = "compose"\n' + MINIMAL) == [
        'seatrial.toml:1: environment: requires a table [compose]; add [compose] with file = "compose.yaml"'
    ]


def test_compose_tables_name_images_variables_and_services_of_the_project(root):
    (root / "compose.yaml").write_text("")
    text = MINIMAL + (
        '[compose]\nfile = "compose.yaml"\nservices = ["test-runner"]\n'
        'images = { web = "nosuch" }\nenv = { "A-B" = "1" }\n'
    )
    assert [line.partition(": ")[2] for line in refused(text)] == [
        "compose.services: 'test-runner' is the name of the runner; rename the service, or runner.pod",
        "compose.images.web: 'nosuch' is not an [[image]] of this project",
        "compose.env.A-B: 'A-B' is not the name of a variable",
    ]


def test_address_of_a_service_in_compose_has_host_and_port(root):
    (root / "compose.yaml").write_text("")
    text = MINIMAL + (
        '[service.orders-api]\nport = 80\n[compose]\nfile = "compose.yaml"\n'
        'env = { SEATRIAL_SERVICE_ORDERS_API = "orders-api" }\n'
    )
    (line,) = refused(text)
    assert line.endswith(
        "compose.env.SEATRIAL_SERVICE_ORDERS_API: 'orders-api' is not HOST:PORT or SCHEME://HOST:PORT;"
        ' SEATRIAL_SERVICE_ORDERS_API = "orders-api:80"'
    )
