"""The Debian system that the images of services stand on: apt's minimal set and ca-certificates, without manuals.

Its package sources are the mirror that this machine uses, so that images built from it can install packages here.
"""

from foundry.recipe import Build


def build(b: Build) -> None:
    root = b.debootstrap(b.version, ["ca-certificates"])
    b.image_import(
        root, changes=["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["bash"]']
    )
