# noqa: INP001 - copied into the container, never imported
"""Write plux's index of plugins, as the last step of the image build, so that a read-only container finds it.

The name of the index is a hash of the modification times of the folders in `sys.path` and of each `entry_points.txt`,
as 32-bit floats (plux/runtime/cache.py), which are 128 s apart. A layer keeps whole seconds only. A time that is close
to the middle between two floats is therefore rounded to another float in the image than in the build: LocalStack looks
for another index there and fails if it cannot write it. Fixed times in whole seconds exclude this.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from plux.runtime.cache import EntryPointsCache

HOME = Path("/opt/code/localstack")
TIME = 1_767_225_600  # 2026-01-01: exact as a 32-bit float
INDEX = HOME / ".cache" / "plux"


def main() -> None:
    """Replace the index that the warm-up wrote."""
    shutil.rmtree(INDEX)
    INDEX.mkdir()
    os.environ["XDG_CACHE_HOME"] = str(INDEX.parent)
    sys.path[0] = str(HOME)  # as `python -m` in the image's working directory
    packages = [Path(entry) for entry in sys.path if HOME in Path(entry).parents]
    files = [found for folder in packages for found in folder.glob("*.dist-info/entry_points.txt")]
    for path in [HOME, *packages, *files]:
        os.utime(path, (TIME, TIME))
    EntryPointsCache.instance().get_entry_points()
    for path in (INDEX, *INDEX.iterdir()):
        path.chmod(0o777)
    if HOME.stat().st_mtime != TIME or len(list(INDEX.iterdir())) != 1:
        sys.exit(f"the index of plugins is not reproducible: {sorted(INDEX.iterdir())}")


if __name__ == "__main__":
    main()
