"""Jars from a repository: a real HTTP server on loopback plays it."""

from __future__ import annotations

import base64
import hashlib
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from foundry import maven
from foundry.errors import FoundryError

CONTENT = b"a jar"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
JAR = maven.Jar("org.example", "thing", "1.2", "tests", DIGEST)
SETTINGS = """<settings xmlns="http://maven.apache.org/SETTINGS/1.2.0">
  <servers><server><id>house</id><username>me</username><password>pass</password></server></servers>
  <mirrors>
    <mirror><id>else</id><mirrorOf>other</mirrorOf><url>https://else.example/</url></mirror>
    <mirror><id>house</id><mirrorOf>{of}</mirrorOf><url> https://house.example/maven/ </url></mirror>
  </mirrors>
</settings>"""


class Repository(ThreadingHTTPServer):
    """Answers with `statuses` one after the other, 200 at the end; remembers what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.statuses = []
        self.content = CONTENT

    @property
    def source(self):
        return maven.Repository(f"http://127.0.0.1:{self.server_port}/maven2", "Basic eA==")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        self.end_headers()
        if status == 200:
            self.wfile.write(self.server.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def repository():
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(maven.time, "sleep", lambda _: None)


def test_a_list_of_jars_is_read():
    plain, classified = maven.parse(
        f"# a comment\n\norg.example:thing:1.2 {DIGEST}\norg.example:thing:1.2:tests {DIGEST}\n"
    )

    assert plain.path == "org/example/thing/1.2/thing-1.2.jar"
    assert classified == JAR
    assert classified.path == "org/example/thing/1.2/thing-1.2-tests.jar"


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*", True),
        ("central", True),
        ("other, central", True),
        ("external:*", True),
        ("*,!central", False),
        ("other", False),
        ("", False),
    ],
)
def test_a_mirror_says_what_it_mirrors(pattern, covers):
    assert maven.mirrors_central(pattern) is covers


def test_the_machines_mirror_and_its_account_are_used(tmp_path):
    (tmp_path / "settings.xml").write_text(SETTINGS.format(of="*"))

    found = maven.repository([tmp_path / "absent.xml", tmp_path / "settings.xml"])

    assert found.url == "https://house.example/maven"
    assert base64.b64decode(found.authorization.removeprefix("Basic ")) == b"me:pass"


def test_without_a_mirror_an_installed_maven_tells_where_central_is(tmp_path):
    (tmp_path / "settings.xml").write_text(SETTINGS.format(of="snapshots"))
    pom = "<project><repositories><repository><id>central</id><url>https://central.example/m2/</url></repository>"
    with zipfile.ZipFile(tmp_path / "maven-model-builder-3.x.jar", "w") as jar:
        jar.writestr("org/apache/maven/model/pom-4.0.0.xml", pom + "</repositories></project>")

    assert maven.repository([tmp_path / "settings.xml"]) is None
    assert maven.central([tmp_path]) == maven.Repository("https://central.example/m2")
    assert maven.central([tmp_path / "nothing-here"]) is None


def test_settings_that_are_no_xml_are_named(tmp_path):
    (tmp_path / "settings.xml").write_text("<settings>")

    with pytest.raises(FoundryError, match=r"settings\.xml is no valid XML"):
        maven.repository([tmp_path / "settings.xml"])


def test_a_jar_is_downloaded_once(repository, tmp_path):
    for folder in ("first", "second"):
        maven.fetch([JAR], tmp_path / folder, cache=tmp_path / "cache", source=repository.source)

        assert (tmp_path / folder / "thing-1.2-tests.jar").read_bytes() == CONTENT
    assert repository.asked == [("/maven2/org/example/thing/1.2/thing-1.2-tests.jar", "Basic eA==")]


def test_a_spoilt_copy_in_the_cache_is_replaced(repository, tmp_path):
    maven.fetch([JAR], tmp_path / "first", cache=tmp_path / "cache", source=repository.source)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"half a j")

    maven.fetch([JAR], tmp_path / "second", cache=tmp_path / "cache", source=repository.source)

    assert (tmp_path / "second" / JAR.file).read_bytes() == CONTENT


def test_another_file_than_was_meant_is_refused_and_not_kept(repository, tmp_path):
    repository.content = b"something else"

    with pytest.raises(FoundryError, match="not the file that was meant"):
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert list((tmp_path / "cache").iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_a_repository_that_stumbles_is_asked_again(repository, tmp_path):
    repository.statuses = [503, 502]

    maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert len(repository.asked) == 3
    assert (tmp_path / "out" / JAR.file).read_bytes() == CONTENT


def test_a_repository_that_is_broken_is_given_up(repository, tmp_path):
    repository.statuses = [500] * 9

    with pytest.raises(FoundryError, match="could not be downloaded") as caught:
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert "500" in caught.value.why
    assert len(repository.asked) == 3


def test_a_jar_that_is_not_there_is_asked_for_once(repository, tmp_path):
    repository.statuses = [404] * 9

    with pytest.raises(FoundryError, match="is not to be had") as caught:
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert "404" in caught.value.why
    assert len(repository.asked) == 1
