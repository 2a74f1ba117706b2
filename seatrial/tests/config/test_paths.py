from __future__ import annotations

from seatrial.config import load

from .configurations import FULL, MINIMAL, refused


def test_load_makes_paths_absolute_in_any_working_directory(root, monkeypatch):
    (root / "seatrial.toml").write_text(FULL)
    monkeypatch.chdir(root / "charts/app")

    loaded = load(environ={})

    assert loaded.file == root / "seatrial.toml"
    assert loaded.project.root == root
    assert loaded.project.cluster.config == root / "kind.yaml"
    assert loaded.project.image[0].context == root
    assert loaded.project.image[0].secrets == (f"id=token,src={root}/token", "id=other,env=OTHER")
    assert loaded.project.release[0].chart == str(root / "charts/app")
    assert loaded.project.release[0].values == (root / "values.yaml",)
    assert loaded.project.release[0].manifests == (root / "extra",)
    assert loaded.project.release[0].pull_secrets == (f"company={root}/pull.json",)
    assert loaded.project.release[1].chart == "oci://example.org/charts/postgresql"
    assert loaded.project.compose is not None
    assert loaded.project.compose.file == root / "compose.yaml"
    assert loaded.project.timeouts.ready == 60


def test_load_resolves_links_and_dots_in_paths_except_a_link_at_the_end(root):
    (root / "real").mkdir()
    (root / "real" / "values.yaml").write_text("")
    (root / "real" / "Dockerfile").write_text("")
    (root / "linked").symlink_to("real")
    (root / "real" / "current.yaml").symlink_to("values.yaml")
    text = '[[image]]\nname = "a"\ncontext = "linked"\n[[image]]\nname = "b"\ncontext = "linked/.."\n'
    text += '[[release]]\nname = "r"\nchart = "linked/../charts/app"\nvalues = ["linked/current.yaml"]\n'
    (root / "seatrial.toml").write_text(text + MINIMAL)
    loaded = load(environ={}).project

    assert [image.context for image in loaded.image] == [root / "real", root]
    assert loaded.release[0].chart == str(root / "charts" / "app")
    assert loaded.release[0].values == (root / "real" / "current.yaml",), "a link at the end keeps its name"


def test_load_reports_a_path_in_the_home_of_an_unknown_user_as_missing(root):
    (message, *_) = refused(FULL.replace('"values.yaml"', '"~no-such-user/values.yaml"'))

    assert "does not exist" in message


def test_load_reports_missing_files_and_suggests_similar_names(root):
    text = FULL.replace('"values.yaml"', '"valeus.yaml"').replace('"charts/app"', '"chart/app"')
    text = text.replace('context = "."\n', "").replace('"kind.yaml"', '"extra"')

    assert refused(text) == [
        "seatrial.toml:3: cluster.config: extra is a folder, should be a file",
        "seatrial.toml:12: release[0].chart: chart/app does not exist; create it or correct the path",
        "seatrial.toml:14: release[0].values[0]: valeus.yaml does not exist; did you mean 'values.yaml'?",
    ]


def test_load_reports_an_image_without_context_or_dockerfile(root):
    (root / "Dockerfile").unlink()
    text = '[[image]]\nname = "a"\n[[image]]\nname = "b"\ncontext = "nowhere"\n[[image]]\nname = "c"\ndockerfile="D"\n'

    assert refused(text + MINIMAL) == [
        "seatrial.toml:1: image[0].context: Dockerfile does not exist; create it or correct the path",
        "seatrial.toml:5: image[1].context: nowhere does not exist; create it or correct the path",
        "seatrial.toml:8: image[2].dockerfile: D does not exist; create it or correct the path",
    ]


def test_paths_of_the_command_line_are_relative_to_the_working_directory(root, monkeypatch):
    (root / "seatrial.toml").write_text(FULL)
    (root / "charts/local.yaml").write_text("")
    monkeypatch.chdir("charts")

    loaded = load(settings=[("cluster.config=local.yaml", "--set")], environ={"SEATRIAL_COMPOSE_FILE": "kind.yaml"})

    assert loaded.project.cluster.config == root / "charts/local.yaml"
    assert loaded.project.compose is not None
    assert loaded.project.compose.file == root / "kind.yaml"
