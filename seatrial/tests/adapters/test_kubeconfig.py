"""Who we are to a cluster, out of kubeconfig files of all kinds."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess

import pytest
from seatrial.adapters.kubeconfig import contexts, extract, load_access
from seatrial.doubles import Answer, FakeProcesses
from seatrial.model.errors import EnvironmentFailed, UsageError

NOBODY = FakeProcesses({})


def config(user=None, *, server="https://10.0.0.1:6443/prefix/", **cluster):
    return {
        "contexts": [
            {"name": "it", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "bare", "context": {"cluster": "c"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }


def written(tmp_path, content):
    path = tmp_path / "config"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A certificate and its key."""
    directory = tmp_path_factory.mktemp("tls")
    key, certificate = directory / "key.pem", directory / "cert.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=it"]
    subprocess.run([*argv, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def test_json_and_yaml(tmp_path):
    yaml = "contexts: [{name: it, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'http://h'}}]\n"
    for content in (config(server="http://h"), yaml):
        access = load_access(written(tmp_path, content), "it", NOBODY)

        assert (access.host, access.port, access.tls) == ("h", 80, None)


def test_server_with_a_path(tmp_path):
    access = load_access(written(tmp_path, config(**{"tls-server-name": "api"})), "it", NOBODY)

    assert (access.host, access.port, access.path) == ("10.0.0.1", 6443, "/prefix")
    assert (access.server_name, access.namespace) == ("api", "shop")
    assert access.authorization() == ""


def test_context_without_a_user(tmp_path):
    access = load_access(written(tmp_path, config()), "bare", NOBODY)

    assert (access.authorization(), access.namespace) == ("", "default")


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "me", "password": "pw"}, "Basic " + base64.b64encode(b"me:pw").decode()),
    ],
)
def test_authorization(tmp_path, user, header):
    assert load_access(written(tmp_path, config(user)), "it", NOBODY).authorization() == header


def test_token_file_is_read_each_time(tmp_path):
    token = tmp_path / "token"
    token.write_text("one\n")
    access = load_access(written(tmp_path, config({"tokenFile": "token"})), "it", NOBODY)

    assert access.authorization() == "Bearer one"
    token.write_text("two\n")
    assert access.authorization() == "Bearer two"


def test_certificates_inline_and_in_files(tmp_path, pair):
    certificate, key = pair
    data = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    authority = {"certificate-authority-data": data["client-certificate-data"]}
    inline = load_access(written(tmp_path, config(data, **authority)), "it", NOBODY)
    files = {"client-certificate": str(certificate), "client-key": str(key)}
    outside = config(files, **{"certificate-authority": str(certificate)})

    for access in (inline, load_access(written(tmp_path, outside), "it", NOBODY)):
        assert access.tls.verify_mode == ssl.CERT_REQUIRED
        assert len(access.tls.get_ca_certs()) == 1


def test_insecure(tmp_path):
    access = load_access(written(tmp_path, config(**{"insecure-skip-tls-verify": True})), "it", NOBODY)

    assert access.tls.verify_mode == ssl.CERT_NONE


def plugin(**spec):
    return {"exec": {"command": "login", "args": ["now"], "env": [{"name": "A", "value": "b"}], **spec}}


def test_plugin_is_run_once(tmp_path):
    processes = FakeProcesses({"login now": Answer(stdout='{"status": {"token": "abc"}}')})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)

    assert [access.authorization(), access.authorization()] == ["Bearer abc", "Bearer abc"]
    assert processes.ran == [("login", "now")]


def test_plugin_with_a_certificate(tmp_path, pair):
    certificate, key = pair
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    processes = FakeProcesses({"login": Answer(stdout=json.dumps({"status": status}))})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)

    assert access.authorization() == ""


def test_plugin_is_run_again_when_its_credential_expires(tmp_path):
    status = {"token": "abc", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    processes = FakeProcesses({"login": Answer(stdout=json.dumps({"status": status}))})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)
    before = len(processes.ran)
    access.authorization()
    access.authorization()
    assert len(processes.ran) == before + 2

    status["expirationTimestamp"] = "2999-01-01T00:00:00Z"
    processes = FakeProcesses({"login": Answer(stdout=json.dumps({"status": status}))})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)
    access.authorization()
    access.authorization()
    assert len(processes.ran) == 1


def test_plugin_by_path_is_relative_to_the_file_and_gets_the_cluster(tmp_path):
    asked = {}

    class Recording(FakeProcesses):
        def run(self, argv, *, env=None, **more):
            asked.update(argv=argv, info=json.loads(env["KUBERNETES_EXEC_INFO"]))
            return super().run(argv, env=env, **more)

    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    given = config(plugin(command="./bin/login", provideClusterInfo=True), extensions=[extension])
    processes = Recording({f"{tmp_path}/bin/login": Answer(stdout='{"status": {"token": "t"}}')})

    assert load_access(written(tmp_path, given), "it", processes).authorization() == "Bearer t"
    assert asked["argv"][0] == f"{tmp_path}/bin/login"
    cluster = asked["info"]["spec"]["cluster"]
    assert cluster == {"server": "https://10.0.0.1:6443/prefix/", "config": {"audience": "x"}}
    assert extract(tmp_path / "config", "it", namespace="n")["users"][0]["user"]["exec"]["command"] == asked["argv"][0]


IMPERSONATING = {
    "token": "mine",
    "as": "jäne",
    "as-uid": "17",
    "as-groups": ["dev", "ops"],
    "as-user-extra": {"example.org/team": ["a", "b"]},
}


def test_impersonation_becomes_headers(tmp_path):
    access = load_access(written(tmp_path, config(IMPERSONATING)), "it", NOBODY)

    assert access.impersonation == (
        ("Impersonate-User", "jäne"),
        ("Impersonate-Uid", "17"),
        ("Impersonate-Group", "dev"),
        ("Impersonate-Group", "ops"),
        ("Impersonate-Extra-example.org%2Fteam", "a"),
        ("Impersonate-Extra-example.org%2Fteam", "b"),
    )
    assert load_access(written(tmp_path, config({"token": "t"})), "it", NOBODY).impersonation == ()


def test_impersonation_survives_the_copy(tmp_path):
    found = extract(written(tmp_path, config(IMPERSONATING)), "it", namespace="x")
    copy = tmp_path / "copy"
    copy.write_text(json.dumps(found))

    assert load_access(copy, "it", NOBODY).impersonation[0] == ("Impersonate-User", "jäne")


@pytest.mark.parametrize(
    ("user", "cluster", "message"),
    [
        ({"as-groups": ["dev"]}, {}, "as-groups without as"),
        ({"as-uid": "1"}, {}, "as-uid without as"),
        ({"as": 5}, {}, "as is not a text: 5"),
        ({"as": "me", "as-groups": "dev"}, {}, "as-groups is not a list of texts"),
        ({"as": "me", "as-user-extra": ["x"]}, {}, "as-user-extra is not a mapping"),
        ({"as": "me", "as-user-extra": {"x": "y"}}, {}, "as-user-extra.x is not a list of texts"),
        ({"as": "me\r\nX-Evil: 1"}, {}, "not printable"),
        ({"exec": {"args": []}}, {}, "has no command"),
        ({"exec": {"command": "login", "interactiveMode": "Always"}}, {}, "asks for input"),
        ({"auth-provider": {"name": "gcp"}}, {}, "has an auth-provider"),
        ({}, {"proxy-url": "http://proxy:3128"}, "has a proxy-url"),
    ],
)
def test_what_cannot_be_honored_is_refused(tmp_path, user, cluster, message):
    with pytest.raises(UsageError) as caught:
        load_access(written(tmp_path, config(user, **cluster)), "it", NOBODY)
    assert message in caught.value.message
    assert str(tmp_path / "config") in caught.value.message


def test_plugin_that_is_not_installed(tmp_path):
    access = load_access(written(tmp_path, config(plugin(installHint="get it\nthere"))), "bare", NOBODY)
    assert access.authorization() == ""
    with pytest.raises(UsageError, match="credential plugin login is not on PATH") as caught:
        load_access(written(tmp_path, config(plugin(installHint="get it\nthere"))), "it", NOBODY)
    assert caught.value.reason == "get it there"


@pytest.mark.parametrize("said", ["", "{}", "[1]"])
def test_plugin_that_says_nothing_of_use(tmp_path, said):
    processes = FakeProcesses({"login": Answer(stdout=said)})

    with pytest.raises(EnvironmentFailed):
        load_access(written(tmp_path, config(plugin())), "it", processes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "is not a kubeconfig file"),
        ("a: [", "is not YAML"),
        (config(server="ftp://h"), "has no server URL"),
        ({"contexts": []}, "has no context 'it'"),
        ({"contexts": [{"name": "it", "context": {"cluster": "x"}}]}, "has no cluster 'x'"),
    ],
)
def test_files_that_are_not_understood(tmp_path, content, message):
    with pytest.raises(UsageError) as caught:
        load_access(written(tmp_path, content), "it", NOBODY)
    assert message in caught.value.message


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError):
        load_access(tmp_path / "none", "it", NOBODY)


def test_contexts(tmp_path):
    assert contexts(written(tmp_path, config())) == ("it", "bare")
    assert contexts(tmp_path / "none") == ()


def test_one_context_alone_is_taken_out_of_many(tmp_path):
    given = config({"client-certificate": "me.pem", "token": "t"}, **{"certificate-authority": "ca.pem"})
    given["contexts"].append({"name": "production", "context": {"cluster": "prod", "user": "admin"}})
    given["current-context"] = "production"
    found = extract(written(tmp_path, given), "it", namespace="pr-42")

    assert found["current-context"] == "it"
    assert found["contexts"] == [{"name": "it", "context": {"cluster": "c", "user": "u", "namespace": "pr-42"}}]
    assert [each["name"] for each in found["clusters"] + found["users"]] == ["c", "u"]
    assert found["clusters"][0]["cluster"]["certificate-authority"] == str(tmp_path / "ca.pem")
    assert found["users"][0]["user"] == {"client-certificate": str(tmp_path / "me.pem"), "token": "t"}
    with pytest.raises(UsageError, match="no context 'staging'"):
        extract(written(tmp_path, given), "staging", namespace="x")
