"""Apache Iceberg's REST catalog over its JDBC catalog, in the shape of a production catalog server.

The servlet and the adapter are Iceberg's own, of its test fixtures (`org.apache.iceberg.rest.RESTCatalogServlet`, in
`iceberg-core`'s tests jar); what its `RESTCatalogServer` lacks is a front of ours, `iceberg_rest/src`: the prefix
`/api/catalog` on 8181 with or without the catalog's name in the path, `/q/health/live` and `/q/health/ready` (does the
store answer?) on 8182, a start that waits for the database, an orderly end. Settings are the fixture's: `CATALOG_URI`,
`CATALOG_JDBC_USER`, `CATALOG_WAREHOUSE`, `CATALOG_IO__IMPL`, `CATALOG_S3_ENDPOINT` and so on, `AWS_*` for S3;
and `CATALOG_CATALOG_NAME` (others are then answered 404), `CATALOG_INCLUDE__CREDENTIALS`, `CATALOG_HEALTH_PORT`.

It has no authentication, no roles, no management API: any client id gets a token, and no token is asked for.
`options.labels` in artefacts.toml say what it stands in for.

Files are Maven Central's, by SHA-256 (`iceberg_rest/jars.txt`: `iceberg-core`, its tests, `iceberg-aws` and its bundle,
`jetty-servlet`, `postgresql`, `slf4j-simple`, and what they need at run time; Hadoop is left out, nothing asks for it).
Java is Debian's, cut down by jlink. Uid 10000, ends with 143 after SIGTERM, with 3 when the heap is spent.
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
            "no Maven tells where Maven Central is", "", "install maven, or name a mirror in settings.xml"
        )
    return found
