"""One test for each requirement; what a server does not offer is skipped, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .requirement import NotOfferedError
from .rules import ALL
from .summary import FAILED, NOT_OFFERED, PASSED, Result

if TYPE_CHECKING:
    from .requirement import Requirement
    from .server import Server


@pytest.mark.parametrize("requirement", ALL.values(), ids=str)
def test_that(requirement: Requirement, server: Server, results: list[Result]) -> None:
    outcome, reason = FAILED, ""
    try:
        requirement.try_on(server)
        outcome, reason = PASSED, ""
    except NotOfferedError as missing:
        reason = f"the server does not offer {missing}"
        if server.target.everything:
            pytest.fail(reason, pytrace=False)
        outcome = NOT_OFFERED
        pytest.skip(reason)
    except AssertionError as error:
        reason = str(error)
        pytest.fail(f"{reason}\nsource: {requirement.section}", pytrace=False)
    except Exception as error:
        reason = repr(error)
        raise
    finally:
        level = requirement.level.value
        described = (requirement.id, level, requirement.section, requirement.sentence)
        results.append(Result(*described, outcome, reason))
