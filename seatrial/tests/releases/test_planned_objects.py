from __future__ import annotations

import pytest
from msgspec.structs import replace
from seatrial.model.errors import CommandFailed, UsageError
from seatrial.model.spec import Project, ReleaseSpec, RunnerSpec
from seatrial.releases.planned_objects import placeholder_values, planned_objects, runner_references


@pytest.fixture
def project(tmp_path):
    (tmp_path / "more.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
    (tmp_path / "pull.json").write_text("{}")
    release = ReleaseSpec(
        name="shop",
        chart="chart",
        namespace="shop",
        images={"web.image": "shop-web"},
        manifests=(tmp_path / "more.yaml",),
        pull_secrets=("pull=pull.json",),
    )
    runner = RunnerSpec(image="a:1", namespace="shop", env_from={"TOKEN": "secret/db/token", "NS": "namespace"})
    return Project(root=tmp_path, release=(release,), runner=runner)


def test_chart_manifests_and_pull_secrets_are_returned_with_a_namespace(project):
    found = planned_objects(project, lambda _: [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}])

    assert [(each["kind"], each["metadata"]["name"], each["metadata"]["namespace"]) for each in found] == [
        ("Service", "web", "shop"),
        ("ConfigMap", "more", "shop"),
        ("Secret", "pull", "shop"),
    ]


def test_images_that_are_not_built_yet_get_a_placeholder(project):
    assert placeholder_values(project.release[0]) == {
        "web.image.repository": "shop-web",
        "web.image.tag": "000000000000",
    }


def test_chart_that_does_not_render_is_a_usage_error_with_the_command(project):
    def render(release):
        raise CommandFailed(["helm", "template"], 1, f"Error: parse error in {release.chart}")

    release = replace(project.release[0], values=(project.root / "v.yaml",))
    with pytest.raises(UsageError) as caught:
        planned_objects(replace(project, release=(release,)), render)
    assert caught.value.message == "the chart of release shop does not render"
    assert caught.value.reason == "Error: parse error in chart"
    assert caught.value.hint == f"helm template shop chart --values {project.root}/v.yaml"


def test_runner_refers_to_secrets_by_its_variables(project):
    (found,) = runner_references(project)

    assert (found.kind, found.name, found.key, found.namespace) == ("Secret", "db", "token", "shop")
    assert found.field == "runner.env-from.TOKEN"
