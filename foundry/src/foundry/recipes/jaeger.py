"""Build Jaeger 2 with in-memory storage, with the contract of `jaegertracing/jaeger:2`.

The program is the same as upstream's. Jaeger 2.13.0 is package `cmd/jaeger` of the Go module's v1.76.0, the last tag
that is a valid Go version (https://github.com/jaegertracing/jaeger, CHANGELOG.md: "v1.76.0 / v2.13.0"; the module path
has no /v2). Configuration, arguments, ports, `/status` on 13133 and uid 10001 are upstream's.

Not included: the web interface, whose files come from another repository (jaeger-ui) that no package registry has. A
simple page (`jaeger/ui/index.html`: search, trace, spans) replaces it at the same addresses, and the image's label says
so. `/api/…` is upstream's. The image has no Alpine base, no shell and no CA file.
"""

import shutil

from foundry.recipe import Build


def build(b: Build) -> None:
    version = "github.com/jaegertracing/jaeger/internal/version"
    b.go_build(
        "github.com/jaegertracing/jaeger",
        f"v{b.options['module']}",
        ["cmd/jaeger"],
        ldflags=f"-s -w -X {version}.latestVersion=v{b.options['release']}",
    )
    context = b.scratch / "context"
    shutil.copytree(b.assets, context)
    (context / "tmp").mkdir(mode=0o1777)
    (context / "tmp").chmod(0o1777)
    (b.out / "jaeger").rename(context / "jaeger-linux")
    b.image_build(context)
