"""Test downloads of jars from a Maven repository, imitated by an HTTP server on loopback."""

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
    """A repository that answers with `statuses` in order, then 200, and records its requests."""

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


def test_parse_list_of_jars():
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
def test_mirrors_central_evaluates_mirror_of(pattern, covers):
    assert maven.mirrors_central(pattern) is covers


def test_repository_returns_mirror_with_credentials(tmp_path):
    (tmp_path / "settings.xml").write_text(SETTINGS.format(of="*"))

    found = maven.repository([tmp_path / "absent.xml", tmp_path / "settings.xml"])

    assert found.url == "https://house.example/maven"
    assert base64.b64decode(found.authorization.removeprefix("Basic ")) == b"me:pass"


def test_central_is_read_from_installed_maven(tmp_path):
    (tmp_path / "settings.xml").write_text(SETTINGS.format(of="snapshots"))
    pom = "<project><repositories><repository><id>central</id><url>https://central.example/m2/</url></repository>"
    with zipfile.ZipFile(tmp_path / "maven-model-builder-3.x.jar", "w") as jar:
        jar.writestr("org/apache/maven/model/pom-4.0.0.xml", pom + "</repositories></project>")

    assert maven.repository([tmp_path / "settings.xml"]) is None
    assert maven.central([tmp_path]) == maven.Repository("https://central.example/m2")
    assert maven.central([tmp_path / "nothing-here"]) is None


def test_repository_invalid_settings_are_named(tmp_path):
    (tmp_path / "settings.xml").write_text("<settings>")

    with pytest.raises(FoundryError, match=r"settings\.xml is not valid XML"):
        maven.repository([tmp_path / "settings.xml"])


def test_fetch_downloads_a_jar_once(repository, tmp_path):
    for folder in ("first", "second"):
        maven.fetch([JAR], tmp_path / folder, cache=tmp_path / "cache", source=repository.source)

        assert (tmp_path / folder / "thing-1.2-tests.jar").read_bytes() == CONTENT
    assert repository.asked == [("/maven2/org/example/thing/1.2/thing-1.2-tests.jar", "Basic eA==")]


def test_fetch_corrupt_cache_file_is_replaced(repository, tmp_path):
    maven.fetch([JAR], tmp_path / "first", cache=tmp_path / "cache", source=repository.source)
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_bytes(b"half a j")

    maven.fetch([JAR], tmp_path / "second", cache=tmp_path / "cache", source=repository.source)

    assert (tmp_path / "second" / JAR.file).read_bytes() == CONTENT


def test_fetch_wrong_checksum_is_an_error_and_file_is_deleted(repository, tmp_path):
    repository.content = b"something else"

    with pytest.raises(FoundryError, match="has the wrong SHA-256"):
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert list((tmp_path / "cache").iterdir()) == []
    assert list((tmp_path / "out").iterdir()) == []


def test_fetch_server_error_is_retried(repository, tmp_path):
    repository.statuses = [503, 502]

    maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert len(repository.asked) == 3
    assert (tmp_path / "out" / JAR.file).read_bytes() == CONTENT


def test_fetch_repeated_server_errors_fail(repository, tmp_path):
    repository.statuses = [500] * 9

    with pytest.raises(FoundryError, match="download of") as caught:
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert "500" in caught.value.reason
    assert len(repository.asked) == 3


def test_fetch_missing_jar_is_not_retried(repository, tmp_path):
    repository.statuses = [404] * 9

    with pytest.raises(FoundryError, match="not found") as caught:
        maven.fetch([JAR], tmp_path / "out", cache=tmp_path / "cache", source=repository.source)

    assert "404" in caught.value.reason
    assert len(repository.asked) == 1
