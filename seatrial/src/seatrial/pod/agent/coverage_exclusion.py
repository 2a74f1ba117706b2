"""Import the agent's modules in the process of pytest so that coverage.py does not measure them.

With `--cov` and no source, coverage.py measures every imported file that is not installed, so the agent would be part
of the user's report and total. coverage.py never measures files whose names start with `<`:
https://github.com/nedbat/coveragepy/blob/master/coverage/inorout.py. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, spec_from_file_location
from types import CodeType
from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Loader(SourceFileLoader):
    """Compile modules under another file name, with a separate cache: Python's cache has the real name."""

    def get_code(self, fullname: str) -> CodeType:
        cached = f"{self.path}.{MAGIC_NUMBER.hex()}"
        try:
            with open(cached, "rb") as file:
                code: CodeType = marshal.load(file)  # noqa: S302  # written below
        except (OSError, EOFError, ValueError, TypeError):
            name = f"<{fullname.partition('.')[0]}>/{os.path.basename(self.path)}"
            code = compile(self.get_data(self.path), name, "exec", dont_inherit=True)
            self._keep(code, cached)
        return code

    @staticmethod
    def _keep(code: CodeType, cached: str) -> None:
        fresh = f"{cached}.{os.getpid()}"
        try:
            with open(fresh, "wb") as file:
                marshal.dump(code, file)
            os.replace(fresh, cached)
        except OSError:
            # Without the cache, for example on a full disk, the import takes some milliseconds more.
            return


class _Finder:
    @staticmethod
    def find_spec(name: str, _path: Any = None, _target: Any = None) -> ModuleSpec | None:
        """Find the modules of this package, and no others."""
        package, _, module = name.rpartition(".")
        if package != __name__:
            # Return first: tests may replace the functions below.
            return None
        file = os.path.join(_HERE, module + ".py")
        if not os.path.exists(file):
            return None
        return spec_from_file_location(name, file, loader=_Loader(name, file))


sys.meta_path.insert(0, _Finder())
