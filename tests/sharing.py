"""Distribution of tests among the processes of pytest-xdist, by their shared fixtures.

A file's tests stay together because of its fixtures. The files of an entry of `SHARED` stay
together because their fixtures take long, or must not be built by two processes at once (a build in
this checkout).
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

SHARED: Final = {
    # A set of 650 MB.
    "packages": (
        "tests/package_sets/test_import_counts.py",
        "tests/package_sets/test_large_imports.py",
        "tests/package_sets/test_large_set.py",
        "tests/package_sets/test_real_packages.py",
        "tests/package_sets/test_real_pandas.py",
    ),
    # Layers, in .cache/assets; what is deployed with them.
    "stages": (
        "tests/end_to_end/test_cloud_demo.py",
        "tests/end_to_end/test_layer_alone.py",
        "tests/infra/",
    ),
    # Shipped models, in their folders under models/.
    "models": ("tests/models/",),
}


class ByWhatIsMadeOnce(LoadScopeScheduling):
    """Gives a process all tests of one file, or of one of `SHARED`."""

    def _split_scope(self, nodeid: str) -> str:
        for name, places in SHARED.items():
            if nodeid.startswith(places):
                return name
        return nodeid.split("::", 1)[0]


def is_first(nodeid: str) -> bool:
    """Return True if a test is run before others: the longest tests must not be left for last."""
    return nodeid.startswith(SHARED["packages"])
