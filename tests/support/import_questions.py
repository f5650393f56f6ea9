"""Other questions about packages; each answer is the same for every way of importing."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.resources
import importlib.util
import inspect
import linecache
import os
import pkgutil
import runpy
import sys
import threading
import traceback
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def modules_of_the_path(site: Path) -> Any:
    """pkgutil.iter_modules, of the whole set and of a package."""
    plain = importlib.import_module("plain")
    return [
        sorted([each.name, each.ispkg, str(each.module_finder)[:10]] for each in found)
        for found in (pkgutil.iter_modules([str(site)]), pkgutil.iter_modules(plain.__path__))
    ]


def modules_below(site: Path) -> Any:
    """pkgutil.walk_packages."""
    found = pkgutil.walk_packages([str(site)], onerror=lambda name: None)
    return sorted([each.name, each.ispkg] for each in found if each.name != "exits")


def data_of_a_package(site: Path) -> Any:
    """pkgutil.get_data."""
    data = pkgutil.get_data("plain", "folder/data.bin"), pkgutil.get_data("plain", "data.txt")
    return [str(data), str(pkgutil.get_data("compiled", "inner.pyc") is not None)]


def resources(site: Path) -> Any:
    """importlib.resources.files, of a package, of one inside it, and of a namespace."""
    plain = importlib.resources.files("plain")
    with importlib.resources.as_file(plain / "data.txt") as path:
        place = str(path)
    return [
        place,
        (plain / "data.txt").read_text(),
        sorted(each.name for each in plain.iterdir()),
        (importlib.resources.files("plain.folder") / "data.bin").read_text(),
        sorted(each.name for each in importlib.resources.files("space.inner").iterdir()),
    ]


def versions(site: Path) -> Any:
    """importlib.metadata.version, however the name is spelt."""
    names = ("Hard_Cases", "hard-cases", "HARD.CASES", "hard__cases", "numpy", "NUMPY")
    return [importlib.metadata.version(name) for name in names]


def a_distribution_that_is_not_there(site: Path) -> Any:
    """importlib.metadata.version of nothing."""
    return importlib.metadata.version("hard")


def entry_points(site: Path) -> Any:
    """importlib.metadata.entry_points, and what one loads."""
    points: Any = importlib.metadata.entry_points(group="hard.points")
    loaded = {each.name: each.load() for each in points}
    return [sorted(map(str, points)), sorted(loaded), loaded["one"](), points["one"].dist.name]


def files_of_a_distribution(site: Path) -> Any:
    """importlib.metadata.files and what else a distribution says."""
    found = importlib.metadata.distribution("hard-cases")
    texts = (
        "METADATA",
        "RECORD",
        "WHEEL",
        "INSTALLER",
        "entry_points.txt",
        "nosuch",
        "top_level.txt",
    )
    return [
        sorted([str(each), str(each.locate())] for each in found.files or ()),
        [found.read_text(name) for name in texts],
        [found.name, found.version, found.requires, found.metadata["Name"]],
    ]


def all_distributions(site: Path) -> Any:
    """importlib.metadata.distributions and packages_distributions."""
    found = sorted(f"{each.name} {each.version}" for each in importlib.metadata.distributions())
    packages = importlib.metadata.packages_distributions()
    names = ("plain", "numpy", "both", "nosuch", "_pybase64")
    return [found, [packages.get(each) for each in names]]


def distributions_of_a_path(site: Path) -> Any:
    """Of the set's folder alone, spelt with a slash at its end, and of another folder."""
    return [
        sorted(each.name for each in importlib.metadata.distributions(path=[path]))
        for path in (str(site), f"{site}/", str(site / "plain"))
    ]


def specs(site: Path) -> Any:
    """importlib.util.find_spec, which imports parents alone."""
    names = ("plain.deep.deeper", "space", "both", "nosuch", "plain.nosuch", "broken_syntax")
    found = {name: importlib.util.find_spec(name) for name in names}
    return {
        name: spec and [spec.origin, str(spec.submodule_search_locations)]
        for name, spec in found.items()
        if name != "space"
    }


def a_spec_of_no_package(site: Path) -> Any:
    """importlib.util.find_spec below a module."""
    return importlib.util.find_spec("plain.sub.nosuch")


def reloaded(site: Path) -> Any:
    """importlib.reload, of a module, of a package, and of one that replaced another."""
    module = importlib.import_module("plain.sub")
    vars(module)["VALUE"] = 7
    package = importlib.import_module("plain.deep")
    return [
        importlib.reload(module).VALUE,
        importlib.reload(package).__file__,
        importlib.reload(package) is sys.modules["plain.deep"],
    ]


def caches_forgotten(site: Path) -> Any:
    """importlib.invalidate_caches, and imports after it."""
    importlib.invalidate_caches()
    sys.modules.pop("empty", None)
    return [importlib.import_module("empty").__file__, importlib.util.find_spec("nosuch")]


def importers_forgotten(site: Path) -> Any:
    """An empty sys.path_importer_cache, and imports after it."""
    sys.path_importer_cache.clear()
    sys.modules.pop("empty", None)
    return importlib.import_module("empty").__file__


def a_traceback(site: Path) -> Any:
    """The whole text, source lines included, as Python prints it."""
    texts = []
    for name in ("raises", "raises_midway", "needs_name", "needs_more", "extensions.broken"):
        try:
            importlib.import_module(name)
        except Exception:
            texts.append(traceback.format_exc())
    return texts


def a_syntax_error(site: Path) -> Any:
    """The whole text, and what the exception says of the place."""
    try:
        importlib.import_module("broken_syntax")
    except SyntaxError as error:
        return [traceback.format_exc(), error.filename, error.lineno, error.offset, error.text]
    return None


def source_of_functions(site: Path) -> Any:
    """inspect and linecache."""
    where = importlib.import_module("plain.sub").where
    linecache.clearcache()
    return [
        inspect.getsource(where),
        inspect.getsourcefile(where),
        inspect.getsourcelines(where)[1],
        where(),
        linecache.getline(where.__code__.co_filename, 1),
        inspect.getmodule(where.__code__).__name__,  # type: ignore[union-attr]
    ]


def names_of_code(site: Path) -> Any:
    """co_filename, of code inside code too."""
    code = importlib.util.find_spec("raises").loader.get_code("raises")  # type: ignore[union-attr]
    assert code
    return [code.co_filename, [each.co_filename for each in code.co_consts if inspect.iscode(each)]]


def what_loaders_say(site: Path) -> Any:
    """A loader's other questions."""
    answers = []
    for name in ("plain", "plain.sub", "compiled", "extensions._pybase64"):
        spec = importlib.util.find_spec(name)
        assert spec
        loader: Any = spec.loader
        answers.append(
            [
                loader.is_package(name),
                loader.get_filename(name),
                loader.get_source(name),
                loader.get_data(str(site / "plain" / "data.txt")).decode(),
                loader.path,
                loader.name,
            ]
        )
    return answers


def main_of_a_package(site: Path) -> Any:
    """runpy.run_module."""
    found = runpy.run_module("plain", run_name="__main__", alter_sys=True)
    return [found["__name__"], found["__file__"], found["__package__"], found["__spec__"].name]


def paths_that_are_spelt_otherwise(site: Path) -> Any:
    """A folder of the set on sys.path, with a slash at its end or a detour."""
    answers = []
    for place in (f"{site}/", f"{site}//", f"{site}/plain/..", f"{site}/./", f"{site}/plain/deep/"):
        for name in ("empty", "plain", "plain.sub", "deeper.leaf", "deeper"):
            for each in [each for each in sys.modules if each.split(".")[0] == name.split(".")[0]]:
                del sys.modules[each]
        sys.path.insert(0, place)
        try:
            for name in ("empty", "plain.sub", "deeper"):
                spec = importlib.util.find_spec(name)
                answers.append(spec and [spec.origin, str(spec.submodule_search_locations)])
        finally:
            sys.path.pop(0)
    return answers


def folders_that_are_not_there(site: Path) -> Any:
    """Return the entries of sys.path that are not folders of the set."""
    sys.path[:0] = [str(site / "nosuch"), str(site / "plain" / "sub.py"), f"{site}-beside"]
    try:
        return [importlib.util.find_spec("nosuch"), importlib.util.find_spec("inner")]
    finally:
        del sys.path[:3]


def finders_by_name(site: Path) -> Any:
    """The classes among the finders, and what they are classes of."""
    found: list[type] = [each for each in sys.meta_path if isinstance(each, type)]
    return [[each.__name__, issubclass(each, PathFinder)] for each in found]


def threads_at_once(site: Path) -> Any:
    """Eight threads import one package; all get the same modules."""
    for name in [each for each in sys.modules if each.split(".")[0] == "circle"]:
        del sys.modules[name]
    barrier, found = threading.Barrier(8), []

    def work() -> None:
        barrier.wait()
        found.append(id(importlib.import_module("circle.b")))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [len(found), len(set(found))]


def forked(site: Path) -> Any:
    """A child imports what its parent has not."""
    sys.modules.pop("empty", None)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        text = str(importlib.import_module("empty").__file__)
        os.write(writing, text.encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        return [status, stream.read()]


QUESTIONS: Final[tuple[Callable[[Path], Any], ...]] = (
    modules_of_the_path,
    modules_below,
    data_of_a_package,
    resources,
    versions,
    a_distribution_that_is_not_there,
    entry_points,
    files_of_a_distribution,
    all_distributions,
    distributions_of_a_path,
    specs,
    a_spec_of_no_package,
    reloaded,
    caches_forgotten,
    importers_forgotten,
    a_traceback,
    a_syntax_error,
    source_of_functions,
    names_of_code,
    what_loaders_say,
    main_of_a_package,
    paths_that_are_spelt_otherwise,
    folders_that_are_not_there,
    finders_by_name,
    threads_at_once,
    forked,
)
