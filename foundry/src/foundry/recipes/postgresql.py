"""Build PostgreSQL from Debian packages with the contract of Docker's image (https://hub.docker.com/_/postgres).

The packages are verified by apt. Debian's cluster tools and the JIT (LLVM, 130 MB) are omitted; `jit = on` then has no
effect. `postgresql/Dockerfile` explains the omissions, `postgresql/docker-entrypoint.sh` the contract.

Not included: `PG_VERSION` in the environment, and `gosu` (root becomes postgres with `setpriv`).
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.image_build(b.assets, args={"BASE": b.ref("debian"), "MAJOR": b.version})
