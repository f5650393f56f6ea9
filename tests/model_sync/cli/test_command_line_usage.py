from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from model_sync.__main__ import main
from model_sync.cli.parser import make_parser
from tests.model_sync.command_line import COMMAND, environment, run
from tests.support.model_folders import write_bare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def _verbs() -> dict[tuple[str, ...], argparse.ArgumentParser]:
    return dict(_below((), make_parser()))


def _below(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """The verbs that do something, by their words: `publish`, `packages list`."""
    groups = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for group in groups:
        for word, inner in group.choices.items():
            yield from _below((*words, word), inner)
    if not groups:
        yield words, parser


VERBS = _verbs()


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["nothing"], ["publish"], ["publish", "a", "b"], ["list", "a"], ["list", "--nothing"],
        ["--json", "list"], ["list", "--store"], ["publish", "a", "--name"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_exit_code_2_and_says_how(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    out, err = capsys.readouterr()
    assert (caught.value.code, out) == (2, "")
    assert err.startswith("usage: python -m model_sync")
    assert "error: " in err


def test_wrong_usage_has_no_traceback() -> None:
    done = run("list", "--nothing")
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


def test_help_names_every_verb_and_exit_code() -> None:
    done = run("--help", COLUMNS="200")
    assert (done.code, done.err) == (0, "")
    for verb, *_ in VERBS:
        assert re.search(rf"^    {verb}\s", done.out, re.MULTILINE)
    for code in ("0 done or unchanged", "1 refused", "2 usage", "3 the store", "130 interrupted"):
        assert code in done.out


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_explains_every_option(verb: tuple[str, ...]) -> None:
    done = run(*verb, "--help", COLUMNS="200")
    assert (done.code, done.err) == (0, "")
    for action in VERBS[verb]._actions:
        assert action.help
        name = max(action.option_strings, key=len, default=str(action.metavar))
        assert name in done.out
        assert " ".join((action.help % vars(action)).split()) in " ".join(done.out.split())
    assert "130 interrupted" in done.out


def test_every_verb_takes_the_options_that_all_have() -> None:
    common = {"--store", "--stage", "--json", "--quiet", "--debug", "--help"}
    for parser in VERBS.values():
        options = {name for action in parser._actions for name in action.option_strings}
        assert common <= options


def test_debugging_shows_where_it_failed(tmp_path: Path) -> None:
    done = run("publish", tmp_path / "missing", "--store", tmp_path / "store", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert "RecipeError" in done.err


def test_on_a_terminal_there_is_a_bar_and_json_stays_clean(tmp_path: Path) -> None:
    write_bare(tmp_path / "adder")
    terminal, stderr = pty.openpty()
    try:
        done = subprocess.run(
            [*COMMAND, "publish", tmp_path / "adder", "--store", tmp_path / "store", "--json"],
            env=environment(TERM="xterm"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )
        os.close(stderr)
        shown = os.read(terminal, 1 << 20)
    finally:
        os.close(terminal)
    assert done.returncode == 0
    assert done.stdout.startswith('{"model": "adder"')
    assert len(done.stdout.splitlines()) == 1
    # It hides the cursor while it moves, and gives it back.
    assert b"\x1b[?25l" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
