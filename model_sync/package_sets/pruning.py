"""Decide which files of its wheels a package set leaves out, because a server never needs them.

- Tests: folders `test` and `tests` with Python files. They are kept if code outside of tests, in
  any wheel of the set, imports from them, directly or through other kept tests; also if the wheel
  has no other Python files.
- Sources for a compiler: .h .hh .hpp .hxx .c .cc .cpp .cxx, and Cython's .pyx .pxd .pxi with their
  templates (`.pyx.in`, `.pyx.tp`).
- Static libraries: .a.
- Stubs: .pyi. They are kept if the wheel's code reads stubs: it calls lazy_loader's `attach_stub`,
  or has a string that ends with `.pyi`.

Test modules with other names (`numpy.testing`, `sklearn.utils._testing`) and all of `*.dist-info`
are kept. Bytecode that would go stale is always left out, also of a set that is not pruned:
`__pycache__`, and a `.pyc` beside its source.

Imports are found in the source of Python files, including the bodies of functions. Imports in
compiled modules, and of names computed at run time, are not found. If that leaves out a file that
is needed, the version's trial fails.
"""

from __future__ import annotations

import ast
import re
import warnings
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

TEST_FOLDERS: Final = frozenset({"test", "tests"})
SOURCES: Final = (".h", ".hh", ".hpp", ".hxx", ".c", ".cc", ".cpp", ".cxx")
CYTHON_SOURCES: Final = (".pyx", ".pxd", ".pxi")
TEMPLATES: Final = (".in", ".tp")
STATIC_LIBRARY: Final = ".a"
STUB: Final = ".pyi"
BYTECODE: Final = ".pyc"
BYTECODE_FOLDER: Final = "__pycache__"

_BUILT_FROM: Final = (
    *(*SOURCES, *CYTHON_SOURCES, STATIC_LIBRARY),
    *(source + template for source in CYTHON_SOURCES for template in TEMPLATES),
)
_READS_STUBS: Final = re.compile(rb"""attach_stub|["'][^"'\n]*\.pyi["']""")
_IMPORTS_TESTS: Final = re.compile(rb"\b(?:from|import)\b(?:[^\n#(]|\\\n)*(?:\([^)]*)?\btests?\b")
_NAMES_TESTS: Final = re.compile(rb"tests?\b")
"""Quick check that rules out most files."""
_MAX_SOURCE_BYTES: Final = 8 << 20
_NOT_READABLE: Final = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)
"""Errors of a broken archive, which unpacking it reports."""


class _Member(NamedTuple):
    """A file of a wheel: its name in the archive, and its place in site-packages."""

    name: str
    place: PurePosixPath
    size_bytes: int

    @property
    def tests(self) -> PurePosixPath | None:
        """The outermost folder of tests that contains the file, or None."""
        for depth, part in enumerate(self.place.parts[:-1], 1):
            if part in TEST_FOLDERS:
                return PurePosixPath(*self.place.parts[:depth])
        return None


class LeftOut(NamedTuple):
    """The files that are left out: paths by the wheels' file names, number and size."""

    paths: Mapping[str, frozenset[str]]
    files: int
    size_bytes: int

    @classmethod
    def of_wheels(cls, wheels: Iterable[Path], *, pruned: bool) -> Self:
        """Decide for the wheels of a set; raises nothing, even if a wheel is broken."""
        members_by_wheel = {wheel: _members(wheel) for wheel in wheels}
        tests = _unneeded_tests(members_by_wheel) if pruned else frozenset()
        left_out = {
            wheel.name: {
                *_bytecode(members),
                *(_pruned(wheel, members, tests) if pruned else ()),
            }
            for wheel, members in members_by_wheel.items()
        }
        return cls(
            {wheel: frozenset(each.name for each in found) for wheel, found in left_out.items()},
            sum(len(found) for found in left_out.values()),
            sum(each.size_bytes for found in left_out.values() for each in found),
        )


def _members(wheel: Path) -> list[_Member]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
    except _NOT_READABLE:
        return []
    found = ((each, _place(each.filename)) for each in entries)
    return [_Member(each.filename, place, each.file_size) for each, place in found if place]


def _place(name: str) -> PurePosixPath | None:
    """Return a wheel's file's place in site-packages; None for metadata and other files."""
    place = PurePosixPath(name)
    match place.parts:
        case (first, "purelib" | "platlib", *rest) if first.endswith(".data") and rest:
            return PurePosixPath(*rest)
        case (first, *_) if first.endswith((".data", ".dist-info")):
            return None
    return place


def _bytecode(members: list[_Member]) -> Iterator[_Member]:
    sources = {member.place for member in members if member.place.suffix == ".py"}
    for member in members:
        in_cache = BYTECODE_FOLDER in member.place.parts[:-1]
        if in_cache or (
            member.place.suffix == BYTECODE and member.place.with_suffix(".py") in sources
        ):
            yield member


def _pruned(
    wheel: Path, members: list[_Member], tests: frozenset[PurePosixPath]
) -> Iterator[_Member]:
    stubs_are_read: bool | None = None
    for member in members:
        if member.tests in tests or member.place.name.endswith(_BUILT_FROM):
            yield member
        elif member.place.suffix == STUB:
            if stubs_are_read is None:
                code = [each for each in members if each.tests not in tests]
                stubs_are_read = any(_READS_STUBS.search(text) for _, text in _code(wheel, code))
            if not stubs_are_read:
                yield member


def _unneeded_tests(members_by_wheel: Mapping[Path, list[_Member]]) -> frozenset[PurePosixPath]:
    """Return the folders of tests that no code outside of them imports from, in any wheel."""
    tests = {
        folder
        for members in members_by_wheel.values()
        for member in members
        if (folder := member.tests) and member.place.suffix == ".py"
    } - _only_python(members_by_wheel)
    code = {
        wheel: [each for each in members if not each.tests]
        for wheel, members in members_by_wheel.items()
    }
    while True:
        needed = {
            folder
            for wheel, members in code.items()
            for place, text in _code(wheel, members)
            for folder in _imported(place, text)
        } & tests
        if not needed:
            return frozenset(tests)
        tests -= needed  # tests that these import are needed, too
        code = {
            wheel: [each for each in members if each.tests in needed]
            for wheel, members in members_by_wheel.items()
        }


def _only_python(members_by_wheel: Mapping[Path, list[_Member]]) -> set[PurePosixPath]:
    """Return the folders of tests of wheels that have no other Python files."""
    found: set[PurePosixPath] = set()
    for members in members_by_wheel.values():
        python = [member for member in members if member.place.suffix in {".py", ".so"}]
        if all(member.tests for member in python):
            found |= {folder for member in python if (folder := member.tests)}
    return found


def _code(wheel: Path, members: list[_Member]) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield the Python files among a wheel's files, with their contents."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                if member.place.suffix == ".py" and member.size_bytes <= _MAX_SOURCE_BYTES:
                    yield member.place, archive.read(member.name)
    except _NOT_READABLE:
        return


def _imported(place: PurePosixPath, text: bytes) -> Iterator[PurePosixPath]:
    """Yield the folders of tests that a Python file imports from, anywhere in the file."""
    if not _NAMES_TESTS.search(text) or not _IMPORTS_TESTS.search(text):
        return
    try:
        with warnings.catch_warnings(action="ignore"):  # as "invalid escape sequence"
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # not importable either
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names = [alias.name.split(".") for alias in node.names]
            case ast.ImportFrom():
                base = [*(place.parts[: -node.level] if node.level else ())]
                base += node.module.split(".") if node.module else []
                names = [[*base, alias.name] for alias in node.names]
            case _:
                continue
        for name in names:
            for depth, part in enumerate(name, 1):
                if part in TEST_FOLDERS:
                    yield PurePosixPath(*name[:depth])
                    break
