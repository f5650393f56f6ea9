"""The protocol's suite finds what it is there to find: each mutation fails what it must."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from tests.conformance.protocol.rules import ALL
from tests.conformance.protocol.server import Server
from tests.conformance.wrong.server import Mutation, wrong_server
from tests.conformance.wrong.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conformance.protocol.model import Model
    from tests.conformance.protocol.target import Target

UNCHANGED = "unchanged"
CASES = [
    (mutation.name, name)
    for mutation in TABLE
    for name in ALL
    if any(fnmatchcase(name, pattern) for pattern in mutation.fails)
]


@pytest.fixture(scope="module")
def proxied(target: Target) -> Iterator[Callable[[str], Server]]:
    """The server as it looks through a mutation; what models it has is known beforehand."""
    right = Server(target)
    models: dict[str, Model] = dict(right.models)
    extensions = (*target.extensions, *right.listed_extensions)
    right.close()
    right.close()
    mutations = {each.name: each for each in (*TABLE, Mutation(UNCHANGED, ()))}
    servers: dict[str, Server] = {}
    with wrong_server(target.url, mutations) as url:

        def through(name: str) -> Server:
            if name not in servers:
                wrong = replace(target, url=f"{url}/{name}", extensions=extensions)
                servers[name] = Server(wrong, models)
            return servers[name]

        yield through
        for server in servers.values():
            server.close()


@pytest.mark.parametrize("name", ALL)
def test_a_server_that_is_changed_in_nothing_meets(
    proxied: Callable[[str], Server], name: str
) -> None:
    ALL[name].try_on(proxied(UNCHANGED))


@pytest.mark.parametrize(("mutation", "name"), CASES)
def test_a_mutation_fails(proxied: Callable[[str], Server], mutation: str, name: str) -> None:
    with pytest.raises(AssertionError):
        ALL[name].try_on(proxied(mutation))


def test_every_requirement_is_failed_by_a_mutation() -> None:
    assert sorted(ALL.keys() - {name for _, name in CASES}) == []


@pytest.mark.parametrize("mutation", TABLE, ids=lambda mutation: mutation.name)
def test_every_pattern_of_a_mutation_names_a_requirement(mutation: Mutation) -> None:
    for pattern in mutation.fails:
        assert any(fnmatchcase(name, pattern) for name in ALL), pattern
