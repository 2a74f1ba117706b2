"""PostgreSQL on Debian, with the contract of Docker's official `postgres:17` (https://hub.docker.com/_/postgres).

Debian's packages, checked by apt, without Debian's cluster tools and without the JIT (LLVM, 130 MB; `jit = on` is then
silently without effect). `postgresql/Dockerfile` says what is left out, `postgresql/docker-entrypoint.sh` what is kept.

Not kept: `PG_VERSION` in the environment, and the source packages' `gosu` (root becomes postgres by `setpriv`).
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    b.image_build(b.assets, args={"BASE": b.ref("debian"), "MAJOR": b.version})
