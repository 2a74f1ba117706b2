"""Build Apache Iceberg's REST catalog over its JDBC catalog, with the paths of a production catalog server.

The servlet and the adapter are Iceberg's own test fixtures (`org.apache.iceberg.rest.RESTCatalogServlet`, in
`iceberg-core`'s tests jar). `iceberg_rest/src` replaces `RESTCatalogServer` and adds: the prefix `/api/catalog` on 8181
with or without the catalog's name in the path, `/q/health/live` and `/q/health/ready` (checks the store) on 8182, a
start that waits for the database, and an orderly stop. Settings are the fixture's: `CATALOG_URI`, `CATALOG_JDBC_USER`,
`CATALOG_WAREHOUSE`, `CATALOG_IO__IMPL`, `CATALOG_S3_ENDPOINT` and others, and `AWS_*` for S3. Additional settings are
`CATALOG_CATALOG_NAME` (other names are answered with 404), `CATALOG_INCLUDE__CREDENTIALS` and `CATALOG_HEALTH_PORT`.

It has no authentication, roles or management API: any client id gets a token, and no token is required.
`options.labels` in artifacts.toml name the image that it stands in for.

Files come from Maven Central, verified by SHA-256 (`iceberg_rest/jars.txt`: `iceberg-core`, its tests, `iceberg-aws`
and its bundle, `jetty-servlet`, `postgresql`, `slf4j-simple`, and their run-time requirements without Hadoop, which is
not used). Java is Debian's, reduced with jlink. It runs as uid 10000, exits with 143 after SIGTERM, and with 3 when the
heap is exhausted.
"""

import shutil
from pathlib import Path

from foundry import machine, maven
from foundry.errors import FoundryError
from foundry.recipe import Build


def build(b: Build) -> None:
    context = b.scratch / "context"
    shutil.copytree(b.assets, context)
    source = maven.repository(maven.settings_files()) or _central(b)
    jars = maven.parse((b.assets / "jars.txt").read_text())
    maven.fetch(jars, context / "lib", cache=b.cache.root / "maven", source=source)
    b.image_build(context, args={"BASE": b.ref("debian"), "JAVA": str(b.options["java"])})


def _central(b: Build) -> maven.Repository:
    folders = maven.installation()
    found = maven.central(folders)
    if found is None:
        machine.install("libmaven3-core-java", unless=None, run=b.run)
        found = maven.central((*folders, Path("/usr/share/java")))
    if found is None:
        raise FoundryError(
            "the address of Maven Central is unknown", "", "install maven, or set a mirror in settings.xml"
        )
    return found
