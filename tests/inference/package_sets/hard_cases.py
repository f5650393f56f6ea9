"""Packages that are hard to import as Python would: what a hook gets wrong, one of each."""

from __future__ import annotations

import marshal
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pybase64._pybase64  # an extension that is there wherever this runs

from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

EXTENSION: Final = "_pybase64"
NAME: Final = "Hard_Cases"

SOURCES: Final[Mapping[str, str]] = {
    # A package, with what modules do to each other.
    "plain/__init__.py": '"""A package."""\nfrom . import sub as renamed\nfrom .sub import VALUE\n',
    "plain/sub.py": "VALUE = 1\n\n\ndef where():\n    return where.__code__.co_filename\n",
    "plain/deep/__init__.py": "from ..sub import *\nfrom .. import sub\n",
    "plain/deep/deeper/__init__.py": "",
    "plain/deep/deeper/leaf.py": "from ...deep import sub\nfrom ...deep import deeper\n",
    "plain/data.txt": "text\r\n",
    "plain/folder/data.bin": "\x00bytes",
    "plain/__main__.py": "import sys\nprint(__name__, __package__, sys.argv[0])\n",
    "one_file.py": "import plain.deep.deeper.leaf\n",
    "with-dash.py": "NAME = __name__\n",
    "empty.py": "",
    "latin.py": "# -*- coding: latin-1 -*-\nTEXT = 'placeholder'\n",
    "bom.py": "\ufeffTEXT = 'a mark before'\n",
    "caf\u00e9.py": "FORM = 'composed'\n",
    "cafe\u0301.py": "FORM = 'decomposed'\n",
    "Cased.py": "NAME = __name__\n",
    "cased.py": "NAME = __name__\n",
    "asserting.py": "assert True\nCHECKED = __debug__\n",
    "lazy/__init__.py": "def __getattr__(name):\n    from . import late\n    return late\n",
    "lazy/late.py": "",
    # Names that folders and files share.
    "both/__init__.py": "KIND = 'package'\n",
    "both.py": "KIND = 'module'\n",
    "shared_name/inner.py": "",
    "shared_name.py": "KIND = 'module before a folder that is no package'\n",
    f"extensions/{EXTENSION}.py": "KIND = 'source beside an extension'\n",
    "extensions/__init__.py": "",
    "extensions/broken.so": "no extension\n",
    "dotted/__init__.py": "",
    "dotted/a.b.py": "",
    "dotted/folder.d/inner.py": "",
    # Namespaces.
    "space/one.py": "WHERE = 'the set'\n",
    "space/inner/two.py": "from .. import one\n",
    "old_space/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "old_space/here.py": "",
    # Packages that change how they are found.
    "edits_sys_path/__init__.py": "import os, sys\n"
    "here = os.path.dirname(os.path.abspath(os.path.realpath(__file__)))\n"
    "sys.path.insert(1, os.path.join(here, 'inner'))\n"
    "import found_inside\nfrom found_inside import VALUE\n",
    "edits_sys_path/inner/found_inside.py": "VALUE = 2\n",
    "replaces_itself/__init__.py": "import importlib, os, sys\n"
    "sys.modules.pop(__name__)\n"
    "sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'native'))\n"
    "mine = importlib.import_module('replaces_itself')\n"
    "sys.path.pop(0)\n",
    "replaces_itself/native/replaces_itself.py": "KIND = 'native'\n",
    "edits_path/__init__.py": "import os\n__path__.append(os.path.join(__path__[0], 'more'))\n"
    "from . import extra\n",
    "edits_path/more/extra.py": "",
    "dotted_path/__init__.py": "import os\n__path__ = [__path__[0] + '/../dotted_path/./more/']\n"
    "from . import extra\n",
    "dotted_path/more/extra/__init__.py": "from . import leaf\n",
    "dotted_path/more/extra/leaf.py": "",
    # What does not import.
    "broken_syntax.py": "value = 1\ndef broken(:\n",
    "broken_package/__init__.py": "from . import nosuch\n",
    "broken_package/inner.py": "from ..broken_package import nothing\n",
    "raises.py": "import plain\n\n\ndef fail():\n    raise ValueError('on purpose')\n\n\nfail()\n",
    "raises_midway/__init__.py": "from . import fine\nfrom . import failing\n",
    "raises_midway/fine.py": "",
    "raises_midway/failing.py": "1 / 0\n",
    "exits.py": "raise SystemExit(3)\n",
    "needs_more.py": "import not_there_at_all.inner\n",
    "needs_inner.py": "import plain.not_there\n",
    "needs_name.py": "from plain import not_there\n",
    "circle/__init__.py": "from . import a\n",
    "circle/a.py": "from . import b\nVALUE = b.VALUE + 1\n",
    "circle/b.py": "from . import a\nimport circle.a as also\nVALUE = 1\n",
    "bad_circle/__init__.py": "from .a import VALUE\n",
    "bad_circle/a.py": "from .b import OTHER\nVALUE = 1\n",
    "bad_circle/b.py": "from .a import VALUE\nOTHER = 1\n",
    "first_wins.py": "WHERE = 'the set'\n",
    "last_loses.py": "WHERE = 'the set'\n",
}
"""Files of the set, by their paths."""

BEFORE: Final = {"first_wins.py": "WHERE = 'before'\n", "space/three.py": "WHERE = 'before'\n"}
"""A plain folder's on `sys.path` before the set."""

AFTER: Final = {
    "last_loses.py": "WHERE = 'after'\n",
    "space/one.py": "WHERE = 'after'\n",
    "space/four.py": "WHERE = 'after'\n",
    "old_space/__init__.py": "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n",
    "old_space/there.py": "",
    "only_after.py": "WHERE = 'after'\n",
}
"""A plain folder's on `sys.path` after it."""

MODULES: Final = (
    *("plain", "plain.sub", "plain.deep", "plain.deep.deeper.leaf", "plain.folder", "one_file"),
    *("with-dash", "empty", "latin", "bom", "caf\u00e9", "cafe\u0301", "Cased", "cased", "CASED"),
    *("asserting", "lazy", "lazy.late", "both", "shared_name", "shared_name.inner", "extensions"),
    *(f"extensions.{EXTENSION}", "extensions.broken", "dotted", "dotted.a", "dotted.folder"),
    *("space", "space.one", "space.inner", "space.inner.two", "space.three", "space.four"),
    *("space.nosuch", "old_space", "old_space.here", "old_space.there", "edits_sys_path"),
    *("found_inside", "edits_path", "edits_path.extra", "dotted_path", "dotted_path.extra.leaf"),
    *("replaces_itself", "broken_syntax", "broken_package", "broken_package.inner", "raises"),
    *("raises_midway", "raises_midway.fine", "raises_midway.failing", "exits", "needs_more"),
    *("needs_inner", "needs_name", "circle", "circle.a", "circle.b", "bad_circle", "bad_circle.b"),
    *("first_wins", "last_loses", "only_after", "nosuch", "plain.nosuch", "plain.sub.nosuch"),
    *("only_compiled", "compiled", "compiled.inner", "of_another_python", "plain.__init__"),
    *("plain.__main__", "numpy"),
)
"""In the order in which they are imported."""


def write_hard_cases(folder: Path) -> Path:
    """One wheel with all of them."""
    suffix = next(each for each in EXTENSION_SUFFIXES if _EXTENSION_FILE.name.endswith(each))
    files: dict[str, str | bytes] = {
        **SOURCES,
        "latin.py": "# -*- coding: latin-1 -*-\nTEXT = '\xe9'\n".encode("latin-1"),
        f"extensions/{EXTENSION}{suffix}": _EXTENSION_FILE.read_bytes(),
        "only_compiled.pyc": _compiled("VALUE = 3\n", "/elsewhere/only_compiled.py"),
        "compiled/__init__.pyc": _compiled("from . import inner\n", "compiled/__init__.py"),
        "compiled/inner.pyc": _compiled("", "compiled/inner.py"),
        "of_another_python.pyc": b"\0\0\0\0" + _compiled("", "")[4:],
    }
    points = "[hard.points]\none = plain.sub:where\ntwo = one_file\n[other]\nx = both\n"
    return write_wheel(folder, NAME, version="1.2.3", files=files, entry_points=points)


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a plain folder of modules."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


_EXTENSION_FILE: Final = Path(sys.modules[pybase64._pybase64.__name__].__file__ or "")


def _compiled(source: str, path: str) -> bytes:
    code = compile(source, path, "exec", dont_inherit=True)
    return MAGIC_NUMBER + bytes(12) + marshal.dumps(code)
