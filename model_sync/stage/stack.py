"""A deployed stage, found by the outputs of its CloudFormation stack.

The stack of stage `dev` is `coldpress-dev`; its outputs name the buckets and functions. Account,
region, credentials and the address of an emulated AWS (`AWS_ENDPOINT_URL`) come from the same
places as for AWS's own tools. The requests to the functions are made in client.py.
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
"""Longest duration of an invocation on Lambda."""

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,19}")
_QUERY_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 3}
)
_CALL_CONFIG: Final = Config(
    connect_timeout=3,
    read_timeout=LONGEST_CALL_S + 30,
    tcp_keepalive=True,
    # A call whose answer was lost may still be in progress: only the caller may repeat it.
    retries={"total_max_attempts": 1},
)
_NOT_STARTED: Final = frozenset(
    {
        "EFSIOException",
        "EFSMountConnectivityException",
        "EFSMountFailureException",
        "EFSMountTimeoutException",
        "ResourceConflictException",  # the function is being deployed, or was idle for long
        "ResourceNotReadyException",
        "TooManyRequestsException",
    }
)
"""Errors of Lambda before the function's code runs. They are mostly temporary: a mount may fail
soon after its deployment, or when many environments start at once."""
_WAITS_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Waiting times before each further try of a call that did not start."""
_REMEDIES: Final = {
    NoRegionError: "no AWS region is set: set AWS_DEFAULT_REGION, or a profile's region",
    NoCredentialsError: "no AWS credentials are found: set AWS_PROFILE, or log in",
}


class StageStack:
    """A stage. `output` reads an output of its stack; `call` calls one of its functions."""

    def __init__(self, name: str, outputs: Mapping[str, str], calls: Any) -> None:
        self.name = name
        self._outputs = outputs
        self._calls = calls

    def output(self, key: str) -> str:
        """Return an output of the stack; raises StageError if there is none (yet)."""
        try:
            return self._outputs[key]
        except KeyError:
            raise StageError(
                f"the stack {stack_name(self.name)} has no output {key}: "
                f"make deploy STAGE={self.name}"
            ) from None

    def call(self, function: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Call the function that an output names, and return its answer, a JSON object.

        Waits as long as Lambda lets a function run, and tries again if the call did not start.
        Raises StageError if the function failed, StageUnreachableError if it could not be called
        or its answer was lost.
        """
        name = self.output(function)
        try:
            response = self._invoke(name, json.dumps(request).encode())
            payload = response["Payload"].read()
        except (ClientError, BotoCoreError) as error:
            raise _stage_error(error, f"the function {name} of stage {self.name!r}") from error
        answer = _parse(payload)
        if "FunctionError" in response:
            parts = ((answer or {}).get(key) for key in ("errorType", "errorMessage"))
            reason = ": ".join(_one_line(text) for text in parts if text)
            raise StageError(f"the function {name} failed: {reason}; see its log")
        if answer is None:
            raise StageError(
                f"the function {name} did not answer a JSON object: is it a function of Coldpress?"
            )
        return answer

    def _invoke(self, name: str, payload: bytes) -> Any:
        for wait_s in _WAITS_S:
            try:
                return self._calls.invoke(FunctionName=name, Payload=payload)
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_STARTED:
                    raise
            time.sleep(wait_s)
        return self._calls.invoke(FunctionName=name, Payload=payload)


def stack_name(stage: str) -> str:
    """Return the name of a stage's CloudFormation stack."""
    return f"coldpress-{stage}"


def find_stage(name: str) -> StageStack:
    """Find a deployed stage; raises StageError or StageUnreachableError."""
    if not _NAME.fullmatch(name):
        raise StageError(f"{name!r} is not a stage's name: expected {_NAME.pattern}")
    stack = stack_name(name)
    try:
        session = boto3.Session()
        described = session.client("cloudformation", config=_QUERY_CONFIG).describe_stacks(
            StackName=stack
        )
        outputs = described["Stacks"][0].get("Outputs", ())
        calls = session.client("lambda", config=_CALL_CONFIG)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            raise StageError(
                f"stage {name!r} is not deployed in {session.region_name} (there is no stack "
                f"{stack}): make deploy STAGE={name}"
            ) from error
        raise _stage_error(error, f"stage {name!r}") from error
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not an address
        raise _stage_error(error, f"stage {name!r}") from error
    except LookupError as error:
        raise StageError(
            f"stage {name!r} cannot be used: the endpoint that answered is not AWS"
        ) from error
    return StageStack(name, {each["OutputKey"]: each["OutputValue"] for each in outputs}, calls)


def _parse(payload: bytes) -> dict[str, Any] | None:
    """Return the JSON object of an answer; None if it holds none."""
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _stage_error(error: Exception, what: str) -> StageError:
    for kind, remedy in _REMEDIES.items():
        if isinstance(error, kind):
            return StageUnreachableError(f"{what} cannot be reached: {remedy}")
    if isinstance(error, ClientError | ProfileNotFound | ValueError):
        return StageError(f"{what} cannot be used: {_one_line(error)}")
    return StageUnreachableError(f"{what} cannot be reached: {_one_line(error)}")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
