"""The suite's options, the server that it runs against, and its summary.

Without `--base-url`, the including test folder's fixture `target` chooses the server.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .server import Server
from .summary import FAILED, NOT_OFFERED, PASSED, Result, explained, table
from .target import Target, read_target

if TYPE_CHECKING:
    from collections.abc import Iterator

RESULTS = pytest.StashKey[list[Result]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which server, and what it has."""
    group = parser.getgroup("the Open Inference Protocol")
    with contextlib.suppress(ValueError):  # pytest-base-url has it too, and means the same
        group.addoption("--base-url", help="the server's address, as http://127.0.0.1:8080")
    group.addoption("--model", action="append", help="a model to try; may be given again")
    group.addoption("--describe", type=Path, help="a TOML file that says what the server has")
    group.addoption("--everything", action="store_true", help="what is not offered has failed")
    group.addoption("--results", type=Path, help="write the results here, as JSON")


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server under test."""
    option = request.config.getoption
    target: Target
    url = option("base_url", None)
    if url:
        target = read_target(
            url,
            option("describe", None),
            option("model", None) or (),
            everything=option("everything", default=False),
        )
    else:
        target = request.getfixturevalue("target")
    found = Server(target)
    if url:
        _hold_to_answer(found, url)
    yield found
    found.close()


def _hold_to_answer(server: Server, url: str) -> None:
    """End the whole run where nothing answers: no requirement says more than that."""
    try:
        server.get("/v2/health/live")
    except AssertionError as error:
        server.close()
        pytest.exit(f"no server answers at {url}: {error}", pytest.ExitCode.USAGE_ERROR)


@pytest.fixture
def results(request: pytest.FixtureRequest) -> list[Result]:
    """Outcomes of the requirements so far."""
    return request.config.stash.setdefault(RESULTS, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell what a run came to, where a server was named."""
    found = config.stash.get(RESULTS, [])
    if not found or not config.getoption("base_url", None):
        return
    terminalreporter.section("the Open Inference Protocol")
    for line in (*explained(found), "", *table(found)):
        terminalreporter.write_line(line)
    into = config.getoption("results", None)
    if into:
        counted = {
            outcome: sum(each.outcome == outcome for each in found)
            for outcome in (PASSED, FAILED, NOT_OFFERED)
        }
        document = {"counts": counted, "requirements": [each._asdict() for each in found]}
        into.write_text(json.dumps(document, indent=1) + "\n")
