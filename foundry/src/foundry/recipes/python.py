"""Python on Debian, with the contract of Docker's official `python:3.13-slim`, and uv beside it.

`python`, `python3`, `pip`, `uv` and `uvx` are on PATH, packages may be installed into the system's Python, and the
machine's own CA files are trusted by all of them. User 1000 is called `app`; root is the default, as upstream's.

The interpreter is Debian trixie's own (3.13). uv and pip are PyPI's, by hash (`python/requirements.txt`, made by
`uv pip compile --universal --generate-hashes --no-emit-index-url python/requirements.in`).
"""

from foundry.errors import FoundryError
from foundry.recipe import Build

_INSTALL = """
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates python3 python3-venv >/dev/null
update-ca-certificates >/dev/null
# Debian keeps pip and uv away from its own Python (PEP 668). Upstream's image lets them in; here nothing else uses it.
rm /usr/lib/python3.*/EXTERNALLY-MANAGED
ln -s python3 /usr/bin/python
# Debian's own pip (python3-pip) brings a compiler; the one in a virtual environment only installs its successor.
python3 -m venv /tmp/pip
/tmp/pip/bin/pip --disable-pip-version-check --no-cache-dir --python /usr/bin/python3 \
    install --quiet --root-user-action=ignore --no-compile --require-hashes --requirement /tmp/requirements.txt
rm -r /tmp/pip /tmp/requirements.txt
groupadd --gid 1000 app
useradd --uid 1000 --gid app --create-home --shell /bin/bash app
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/* /var/log/* ~/.cache
python --version; pip --version; uv --version
"""


def build(b: Build) -> None:
    with b.container(b.ref("debian")) as c:
        # There already when Debian is foundry's own, not when it is upstream's.
        for file in b.ca_files:
            c.copy(file, f"/usr/local/share/ca-certificates/{file.name}")
        c.copy(b.assets / "requirements.txt", "/tmp/requirements.txt")  # noqa: S108 - in the container
        env = {**b.network_environment, "DEBIAN_FRONTEND": "noninteractive"}
        found = c.exec(["sh", "-ec", _INSTALL], env=env)
        if f"Python {b.version}." not in found:
            raise FoundryError(f"Debian's Python is not {b.version}", found.strip())
        b.image_commit(
            c,
            changes=[
                "ENV LANG=C.UTF-8",
                # OpenSSL's default; uv reads only this variable.
                "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
                'CMD ["python3"]',
            ],
        )
