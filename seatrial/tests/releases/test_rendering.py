"""Rendered releases: their images, secret values and single values."""

from __future__ import annotations

import base64

import pytest
from fakes import FakeCharts
from seatrial.model.deadline import Deadline
from seatrial.model.spec import ReleaseSpec
from seatrial.releases.rendering import images_of, program_stamp, render_release, secret_values


@pytest.fixture
def render(tmp_path):
    """Render one release with a version of Helm; return how often Helm ran so far."""
    chart = tmp_path / "chart"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("name: shop\n")
    charts = FakeCharts({"shop": [{"kind": "ConfigMap"}]})
    release = ReleaseSpec(name="shop", chart="chart", namespace="shop")

    def render(stamp):
        rendered = render_release(
            release, {}, charts=charts, root=tmp_path, cache=tmp_path / "cache", stamp=stamp, deadline=Deadline.after(5)
        )
        assert rendered.objects == [{"kind": "ConfigMap"}]
        return sum(each.startswith("render") for each in charts.log)

    return render


def test_another_helm_renders_again(render):
    assert [render("a"), render("a"), render("b")] == [1, 1, 2]


def test_without_helm_the_cache_serves_what_any_helm_rendered(render):
    assert [render("a"), render(None)] == [1, 1]


def test_without_helm_nothing_known_needs_it(render):
    assert render(None) == 1


def test_missing_program_has_no_stamp(tmp_path):
    assert program_stamp(None) is None
    assert program_stamp(str(tmp_path / "gone"))


def test_images_of_finds_containers_at_any_depth():
    template = {"spec": {"initContainers": [{"image": "a:1"}], "containers": [{"image": "b:1"}, {"image": ""}]}}
    objects = [
        {"kind": "Deployment", "spec": {"template": template}},
        {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": template}}}},
        {"kind": "Odd", "spec": {"containers": "none", "list": [[{"containers": [{"image": "c:1"}]}]]}},
    ]

    assert images_of(objects) == ["a:1", "b:1", "c:1"]


def test_secret_values_are_decoded():
    objects = [
        {"kind": "Secret", "data": {"a": base64.b64encode(b"in data").decode()}, "stringData": {"b": "as string"}},
        {"kind": "ConfigMap", "data": {"c": "no secret"}},
    ]

    assert sorted(secret_values(objects)) == ["as string", "in data"]
