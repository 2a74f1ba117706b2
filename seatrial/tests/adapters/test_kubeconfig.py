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


def test_load_access_reads_json_and_yaml(tmp_path):
    yaml = "contexts: [{name: it, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: 'http://h'}}]\n"
    for content in (config(server="http://h"), yaml):
        access = load_access(written(tmp_path, content), "it", NOBODY)

        assert (access.host, access.port, access.tls) == ("h", 80, None)


def test_server_path_is_a_prefix(tmp_path):
    access = load_access(written(tmp_path, config(**{"tls-server-name": "api"})), "it", NOBODY)

    assert (access.host, access.port, access.path) == ("10.0.0.1", 6443, "/prefix")
    assert access.server_name == "api"
    assert access.authorization() == ""


def test_context_without_a_user_has_no_authorization(tmp_path):
    access = load_access(written(tmp_path, config()), "bare", NOBODY)

    assert access.authorization() == ""


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "abc"}, "Bearer abc"),
        ({"username": "me", "password": "pw"}, "Basic " + base64.b64encode(b"me:pw").decode()),
    ],
)
def test_authorization_header_of_each_credential(tmp_path, user, header):
    assert load_access(written(tmp_path, config(user)), "it", NOBODY).authorization() == header


def test_token_file_is_read_for_each_request(tmp_path):
    token = tmp_path / "token"
    token.write_text("one\n")
    access = load_access(written(tmp_path, config({"tokenFile": "token"})), "it", NOBODY)

    assert access.authorization() == "Bearer one"
    token.write_text("two\n")
    assert access.authorization() == "Bearer two"


def test_certificates_are_read_inline_and_from_files(tmp_path, pair):
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


def test_insecure_skip_tls_verify_disables_verification(tmp_path):
    access = load_access(written(tmp_path, config(**{"insecure-skip-tls-verify": True})), "it", NOBODY)

    assert access.tls.verify_mode == ssl.CERT_NONE


def plugin(**spec):
    return {"exec": {"command": "login", "args": ["now"], "env": [{"name": "A", "value": "b"}], **spec}}


def test_credential_plugin_runs_once(tmp_path):
    processes = FakeProcesses({"login now": Answer(stdout='{"status": {"token": "abc"}}')})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)

    assert [access.authorization(), access.authorization()] == ["Bearer abc", "Bearer abc"]
    assert processes.ran == [("login", "now")]


def test_credential_plugin_returns_a_client_certificate(tmp_path, pair):
    certificate, key = pair
    status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
    processes = FakeProcesses({"login": Answer(stdout=json.dumps({"status": status}))})
    access = load_access(written(tmp_path, config(plugin())), "it", processes)

    assert access.authorization() == ""


def test_credential_plugin_runs_again_after_expiration(tmp_path):
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


def test_credential_plugin_path_is_relative_to_the_kubeconfig(tmp_path):
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


def test_impersonation_is_sent_as_headers(tmp_path):
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


def test_extract_keeps_impersonation(tmp_path):
    found = extract(written(tmp_path, config(IMPERSONATING)), "it", namespace="x")
    copy = tmp_path / "copy"
    copy.write_text(json.dumps(found))

    assert load_access(copy, "it", NOBODY).impersonation[0] == ("Impersonate-User", "jäne")


@pytest.mark.parametrize(
    ("user", "cluster", "message"),
    [
        ({"as-groups": ["dev"]}, {}, "as-groups without `as`"),
        ({"as-uid": "1"}, {}, "as-uid without `as`"),
        ({"as": 5}, {}, "as is 5, should be a string"),
        ({"as": "me", "as-groups": "dev"}, {}, "as-groups is 'dev', should be a list of strings"),
        ({"as": "me", "as-user-extra": ["x"]}, {}, "should be a mapping of lists"),
        ({"as": "me", "as-user-extra": {"x": "y"}}, {}, "as-user-extra.x is 'y', should be a list"),
        ({"as": "me\r\nX-Evil: 1"}, {}, "cannot impersonate"),
        ({"exec": {"args": []}}, {}, "has no command"),
        ({"exec": {"command": "login", "interactiveMode": "Always"}}, {}, "requires input"),
        ({"auth-provider": {"name": "gcp"}}, {}, "has an auth-provider"),
        ({}, {"proxy-url": "http://proxy:3128"}, "has a proxy-url"),
    ],
)
def test_unsupported_fields_are_refused(tmp_path, user, cluster, message):
    with pytest.raises(UsageError) as caught:
        load_access(written(tmp_path, config(user, **cluster)), "it", NOBODY)
    assert message in caught.value.message
    assert str(tmp_path / "config") in caught.value.message


def test_missing_credential_plugin_has_its_install_hint(tmp_path):
    access = load_access(written(tmp_path, config(plugin(installHint="get it\nthere"))), "bare", NOBODY)
    assert access.authorization() == ""
    with pytest.raises(UsageError, match=r"credential plugin login of .* is not on PATH") as caught:
        load_access(written(tmp_path, config(plugin(installHint="get it\nthere"))), "it", NOBODY)
    assert caught.value.reason == "get it there"


@pytest.mark.parametrize("said", ["", "{}", "[1]"])
def test_credential_plugin_without_a_credential_fails(tmp_path, said):
    processes = FakeProcesses({"login": Answer(stdout=said)})

    with pytest.raises(EnvironmentFailed):
        load_access(written(tmp_path, config(plugin())), "it", processes)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "is not a kubeconfig file"),
        ("a: [", "is not YAML"),
        (config(server="ftp://h"), "has no valid server URL"),
        ({"contexts": []}, "has no context 'it'"),
        ({"contexts": [{"name": "it", "context": {"cluster": "x"}}]}, "has no cluster 'x'"),
    ],
)
def test_invalid_kubeconfig_is_a_usage_error(tmp_path, content, message):
    with pytest.raises(UsageError) as caught:
        load_access(written(tmp_path, content), "it", NOBODY)
    assert message in caught.value.message


def test_missing_kubeconfig_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        load_access(tmp_path / "none", "it", NOBODY)


def test_contexts_of_a_missing_file_are_empty(tmp_path):
    assert contexts(written(tmp_path, config())) == ("it", "bare")
    assert contexts(tmp_path / "none") == ()


def test_extract_has_a_single_context(tmp_path):
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
