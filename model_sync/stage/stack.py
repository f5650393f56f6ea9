"""A deployed stage, as the command line finds it: by its stack's outputs.

The stack of stage `dev` is `coldpress-dev`; its outputs name the buckets and functions. Account,
region and credentials come from where AWS's tools look for them, and so does the address of an
emulated AWS (`AWS_ENDPOINT_URL`). What is sent to the functions: client.py.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from model_sync.errors import StageError, StageUnreachableError

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_CALL_S: Final = 900
"""How long a function may run on Lambda."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_ASK: Final = Config(
    connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}
)
_CALL: Final = Config(
    connect_timeout=3,
    read_timeout=LONGEST_CALL_S + 30,
    tcp_keepalive=True,
    # A call whose answer was lost may still be under way: who repeats it decides that.
    retries={"total_max_attempts": 1},
)
_NOT_BEGUN: Final = frozenset(
    {
        "EFSIOException",
        "EFSMountConnectivityException",
        "EFSMountFailureException",
        "EFSMountTimeoutException",
        "ResourceConflictException",  # the function is being deployed, or wakes from long idleness
        "ResourceNotReadyException",
        "TooManyRequestsException",
    }
)
"""Errors of Lambda's that come before the function's code runs, and mostly pass: a mount may fail
just after it was deployed, or when many environments start at once."""
_WAITS_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""How long to wait before each further try of a call that has not begun."""
_FIXES: Final = {
    NoRegionError: "no AWS region is set: set AWS_DEFAULT_REGION, or a profile's region",
    NoCredentialsError: "no AWS credentials are found: set AWS_PROFILE, or log in",
}


class StageStack:
    """One stage. `output` reads what its stack says; `call` calls one of its functions."""

    def __init__(self, name: str, outputs: Mapping[str, str], calls: Any) -> None:
        self.name = name
        self._outputs = outputs
        self._calls = calls

    def output(self, key: str) -> str:
        """One output of the stack; raises StageError where it has none (yet)."""
        try:
            return self._outputs[key]
        except KeyError:
            raise StageError(
                f"the stack {stack_name(self.name)} has no output {key}: "
                f"make deploy STAGE={self.name}"
            ) from None

    def call(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function that an output names and return its answer, an object.

        Waits as long as Lambda lets a function run, and tries again what did not begin. Raises
        StageError where the function failed, StageUnreachableError where it could not be called,
        or its answer was lost.
        """
        name = self.output(function)
        try:
            response = self._invoke(name, json.dumps(request).encode())
            payload = response["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            raise _explained(error, f"the function {name} of stage {self.name!r}") from error
        answer = _parsed(payload)
        if "FunctionError" in response:
            said = ((answer or {}).get(key) for key in ("errorType", "errorMessage"))
            reason = ": ".join(_one_line(text) for text in said if text)
            raise StageError(f"the function {name} failed: {reason}; its log has more")
        if answer is None:
            raise StageError(f"the function {name} answered no JSON object: is it Coldpress's?")
        return answer

    def _invoke(self, name: str, payload: bytes) -> Any:
        for wait_s in _WAITS_S:
            try:
                return self._calls.invoke(FunctionName=name, Payload=payload)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_BEGUN:
                    raise
            time.sleep(wait_s)
        return self._calls.invoke(FunctionName=name, Payload=payload)


def stack_name(stage: str) -> str:
    """The CloudFormation stack of a stage."""
    return f"coldpress-{stage}"


def find_stage(name: str) -> StageStack:
    """Find a deployed stage; raises StageError or StageUnreachableError in one line."""
    if not _NAME.fullmatch(name):
        raise StageError(f"{name!r} is no stage: expected {_NAME.pattern}")
    stack = stack_name(name)
    try:
        session = boto3.Session()
        described = session.client("cloudformation", config=_ASK).describe_stacks(StackName=stack)
        outputs = described["Stacks"][0].get("Outputs", ())
        calls = session.client("lambda", config=_CALL)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise StageError(
                f"stage {name!r} is not deployed in {session.region_name} (there is no stack "
                f"{stack}): make deploy STAGE={name}"
            ) from error
        raise _explained(error, f"stage {name!r}") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no address
        raise _explained(error, f"stage {name!r}") from error
    except LookupError as error:
        raise StageError(f"stage {name!r} cannot be used: what answers is not AWS") from error
    return StageStack(name, {each["OutputKey"]: each["OutputValue"] for each in outputs}, calls)


def _parsed(payload: bytes) -> dict[str, Any] | None:
    """An answer; None where it is no JSON object."""
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _explained(error: Exception, what: str) -> StageError:
    for kind, fix in _FIXES.items():
        if isinstance(error, kind):
            return StageUnreachableError(f"{what} cannot be reached: {fix}")
    if isinstance(error, ClientError | ProfileNotFound | ValueError):
        return StageError(f"{what} cannot be used: {_one_line(error)}")
    return StageUnreachableError(f"{what} cannot be reached: {_one_line(error)}")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
