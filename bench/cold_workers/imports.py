"""Import modules in one of several ways, and print timestamps. numpy is the runtime's.

    imports.py plain SITE_PACKAGES MODULE...
    imports.py zip FOLDER MODULE...           code.zip, and extensions in site-packages
    imports.py index STORE DIGEST MODULE...
    imports.py ours STORE DIGEST RECORDED.json MODULE...
    imports.py record STORE DIGEST RECORDED.json MODULE...

`ours` imports like a function that loads a version with packages; `index` is the same without
reading ahead; `record` records imports, as a trial of publishing does.
"""

import time

marks = {"python": time.monotonic()}

import importlib
import json
import os
import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

import numpy

from inference.loading.prefetch import READERS
from inference.package_sets.active_sets import use_package_set
from inference.package_sets.prefetch import ImportPrefetch
from model_store.digests import Digest
from model_store.layout import StoreLayout
from model_store.recorded_imports import parse_recorded

way, place, *rest = sys.argv[1:]


class Extensions:
    """Finder of extension modules in a folder; their names come from extensions.txt."""

    def __init__(self, site: Path) -> None:
        self._site = site
        self._known = set((site.parent / "extensions.txt").read_text("utf-8").splitlines())

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Implement importlib.abc.MetaPathFinder."""
        for suffix in EXTENSION_SUFFIXES:
            if (path := name.replace(".", "/") + suffix) in self._known:
                loader = ExtensionFileLoader(name, str(self._site / path))
                return spec_from_file_location(name, str(self._site / path), loader=loader)
        return None


def import_all(modules: list[str]) -> list[str]:
    """Import modules one after another; return each one's file."""
    return [str(importlib.import_module(name).__file__) for name in modules]


def import_from_set(modules: list[str], prefetched: bool) -> list[str]:
    """Import from a published set; if `prefetched`, read the recorded ranges ahead."""
    layout, digest = StoreLayout(Path(place)), Digest.parse(rest[0])
    prefetch = None
    if prefetched:
        recorded = parse_recorded(json.loads(Path(rest[1]).read_text("utf-8")), rest[1])
        prefetch = ImportPrefetch(layout.package_set(digest), recorded, readers=READERS)
    with use_package_set(layout, digest, "the benchmark") as why_plain:
        files = import_all(modules)
    if prefetch:
        prefetch.stop()
    if why_plain():
        sys.exit(why_plain())
    return files


marks["imports"] = time.monotonic()
match way:
    case "plain":
        sys.path.append(place)
        files = import_all(rest)
    case "zip":
        sys.path.append(os.path.join(place, "code.zip"))  # noqa: PTH118
        sys.meta_path.append(Extensions(Path(place, "site-packages")))
        files = import_all(rest)
    case "index":
        files = import_from_set(rest[1:], prefetched=False)
    case "ours":
        files = import_from_set(rest[2:], prefetched=True)
    case "record":
        from model_sync.preparation.touched_imports import ImportRecorder

        recorder = ImportRecorder(StoreLayout(Path(place)), Digest.parse(rest[0]))
        files = import_from_set(rest[2:], prefetched=False)
        found = [each.to_json() for each in recorder.recorded()]
        Path(rest[1]).write_text(json.dumps(found), "utf-8")
    case _:
        sys.exit(f"{way}: unknown way; use plain, zip, index, ours or record")
marks["answer"] = time.monotonic()

if numpy.__file__ in files:
    sys.exit("do not name numpy: it is imported before the measurement")
print(json.dumps({"marks": marks}))
