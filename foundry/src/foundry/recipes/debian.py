"""The Debian system that the images of services stand on: apt's minimal set, ca-certificates, nothing else."""

from foundry.recipe import Build


def build(b: Build) -> None:
    root = b.debootstrap(b.version, ["ca-certificates"])
    b.image_import(root, changes=["ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 'CMD ["bash"]'])
