"""Run a script, code or a module as `__main__` in this process, as `python` itself would.

    script.py     sys.path[0]: its folder        sys.argv[0]: the path as given
    -c CODE       sys.path[0]: ""                sys.argv[0]: "-c"
    -m MODULE     sys.path[0]: current folder    sys.argv[0]: the module's file
    -             standard input, as -c          sys.argv[0]: "-"
    a folder or a zip file with `__main__.py`: sys.path[0] is its path

The program gets a new module `__main__`, which stays in place until the process ends: unpickling
and multiprocessing need it. An uncaught exception is shown without the frames of this module.

Source: https://docs.python.org/3/using/cmdline.html, "Interface options".
"""

from __future__ import annotations

import builtins
import io
import os
import pkgutil
import runpy
import sys
from importlib.machinery import BuiltinImporter, SourceFileLoader
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DONE, FAILED, INTERRUPTED = 0, 1, 130

CODE, MODULE, INPUT = "-c", "-m", "-"


class Program(NamedTuple):
    """A program and its arguments: a path, `-c` with code, or `-m` with a module's name."""

    kind: str
    what: str
    arguments: tuple[str, ...]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Program | None:
        """Parse the words of a command line; return None if they name no program."""
        match [*words]:
            case ["-c" | "-m" as kind, what, *rest]:
                return cls(kind, what, tuple(rest))
            case [what, *rest] if what and (what == INPUT or not what.startswith("-")):
                return cls("", what, tuple(rest))
        return None


def run(program: Program) -> int:
    """Run a program to its end and return the exit code; show an uncaught exception.

    Raises the program's SystemExit, and OSError if its file cannot be read, before it starts.
    """
    run_it = _prepare(program)
    try:
        run_it()
    except SystemExit:
        raise
    except BaseException as error:
        _show(error)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED
    return DONE


def _prepare(program: Program) -> Callable[[], object]:
    """Prepare this process for a program; return the function that runs it."""
    kind, what, arguments = program
    main = ModuleType("__main__")
    attributes: dict[str, Any] = vars(main)
    attributes["__builtins__"] = builtins
    attributes["__loader__"] = BuiltinImporter
    name = kind or what
    if kind == MODULE:
        run_it = _module(what, alter_argv=True)
        first = os.getcwd()  # noqa: PTH109 - a string, as Python has it
    elif kind == CODE:
        run_it = _source(what.encode(), "<string>", attributes)
        first = ""
    elif what == INPUT:
        run_it = _file(sys.stdin.buffer.read(), "<stdin>", attributes)
        first = ""
    elif pkgutil.get_importer(what):
        run_it = _module("__main__", alter_argv=False)
        first = what
    else:
        path = os.path.abspath(what)  # noqa: PTH100 - a string
        with io.open_code(path) as stream:
            run_it = _file(stream.read(), path, attributes)
        first = os.path.dirname(os.path.realpath(what))  # noqa: PTH120
    sys.argv = [name, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = first  # replaces the entry for `python -m inference`
    sys.modules["__main__"] = main
    return run_it


def _file(source: bytes, path: str, attributes: dict[str, Any]) -> Callable[[], object]:
    attributes["__file__"], attributes["__cached__"] = path, None
    attributes["__loader__"] = SourceFileLoader("__main__", path)
    return _source(source, path, attributes)


def _source(source: bytes, path: str, attributes: dict[str, Any]) -> Callable[[], object]:
    def run_it() -> None:
        exec(compile(source, path, "exec", dont_inherit=True), attributes)  # noqa: S102

    return run_it


def _module(name: str, *, alter_argv: bool) -> Callable[[], object]:
    # The function that `python -m` calls. The public `runpy.run_module` clears `__main__` when the
    # module's code has ended, but threads and exit handlers still need it.
    return lambda: _run_module_as_main(name, alter_argv)


_run_module_as_main: Final[Any] = runpy._run_module_as_main  # type: ignore[attr-defined]  # noqa: SLF001


def _show(error: BaseException) -> None:
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    sys.excepthook(type(error), error.with_traceback(frames), frames)
