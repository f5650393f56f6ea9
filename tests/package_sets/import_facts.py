"""Print facts about a set's modules, imported in one of two ways, as JSON.

    python import_facts.py {plain|hooked} STORE DIGEST BEFORE AFTER [--ask] < modules, one a line

`plain` appends the set's folder to `sys.path`; `hooked` uses the set as a version does. BEFORE and
AFTER are folders on `sys.path` before and after it. With `--ask`, the script also answers the
questions of support/import_questions.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import io
import json
import os
import re
import sys
import traceback
import warnings
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.package_sets import importer
from inference.package_sets.active_sets import use_package_set
from model_store.digests import Digest
from model_store.layout import StoreLayout
from model_store.package_set import SITE_PACKAGES

if TYPE_CHECKING:
    from types import ModuleType

_OURS = "_Indexed"


def main(how: str, store: str, digest: str, before: str, after: str, *asked: str) -> None:
    """Import what standard input names, and say what came of it."""
    out, sys.stdout = sys.stdout, sys.stderr  # whatever modules print
    warnings.simplefilter("ignore")
    layout = StoreLayout(Path(store))
    site = os.path.abspath(layout.package_set(Digest.parse(digest)) / SITE_PACKAGES)  # noqa: PTH100
    sys.path.append(before)
    if how == "plain":
        sys.dont_write_bytecode = True
        sys.path.append(site)
    else:
        with use_package_set(layout, Digest.parse(digest), "this test") as why_plain:
            assert why_plain() is None, why_plain()
    sys.path.append(after)
    names = sys.stdin.read().split("\n")
    found = {name: facts(name) for name in names if name}
    answers = {}
    if asked:
        from tests.support.import_questions import QUESTIONS  # noqa: PLC0415 - it is long

        for question in QUESTIONS:
            answers[question.__name__] = answered(lambda ask=question: ask(Path(site)))
    json.dump({"modules": found, "answers": answers, "is_hooked": is_hooked(site)}, out)
    out.flush()
    os._exit(0)  # whatever modules do at the end of a process


def facts(name: str) -> Any:
    """Return the facts of importing a module."""
    return answered(lambda: facts_of(importlib.import_module(name)))


def facts_of(module: ModuleType) -> dict[str, Any]:
    """Return the observable facts of a module."""
    attributes = vars(module) if hasattr(module, "__dict__") else {}
    spec = attributes.get("__spec__")
    found = {
        name: attributes.get(name) for name in ("__file__", "__name__", "__package__", "__cached__")
    }
    path = attributes.get("__path__")
    found["__path__"] = None if path is None else [str(each) for each in path]
    if isinstance(spec, ModuleSpec):
        places = spec.submodule_search_locations
        found["spec"] = [spec.name, spec.origin, spec.cached, spec.has_location, spec.parent]
        found["places"] = None if places is None else [str(each) for each in places]
    found["loader"] = loaders(attributes.get("__loader__"))
    found["attributes"] = sorted(map(str, attributes))
    found["source"] = answered(lambda: source_of(module))
    return found


def source_of(module: ModuleType) -> list[object]:
    """Return the length of a module's source, and its digest."""
    text = inspect.getsource(module)
    return [len(text), hashlib.sha256(text.encode()).hexdigest()]


def loaders(loader: object) -> list[str]:
    """The classes that a loader is of, but for the hook's own."""
    return [each.__name__ for each in type(loader).__mro__ if not each.__name__.startswith(_OURS)]


def answered(ask: Any) -> Any:
    """Return a function's result, or its exception with the traceback's own lines."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            return ask()
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        shown = [
            [frame.filename, frame.lineno, frame.name, frame.line]
            for frame in frames
            if not frame.filename.startswith("<frozen ")
            and frame.filename not in {__file__, importer.__file__}
        ]
        message = re.sub(r"0x[0-9a-f]+", "0x", str(error))  # where an object lies
        return {"raised": type(error).__name__, "message": message, "frames": shown}


def is_hooked(site: str) -> bool:
    """Return True if imports from a folder use an index."""
    return type(sys.path_importer_cache.get(site)).__name__.startswith(_OURS)


if __name__ == "__main__":
    main(*sys.argv[1:])
