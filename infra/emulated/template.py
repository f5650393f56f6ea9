"""Changes of a stage's template for MiniStack on this machine. Pure.

Resources of LEFT_OUT's types are removed, also from DependsOn; any other reference to one is an
error. Statements that deny calls without TLS are removed from the policies of buckets and queues,
since all calls are plain HTTP on loopback; a policy without other statements is removed. Functions
change as follows:

| what | to | why |
|---|---|---|
| Runtime | `provided.al2023` | MiniStack's own Python is a stand-in (see bootstrap.py) |
| STORE_PATH | a folder here | MiniStack ignores FileSystemConfigs |
| PYTHONPATH | the layers' folders here | MiniStack unpacks no layers for `provided` runtimes |
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, Final

from infra.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LEFT_OUT: Final = {
    "AWS::EC2::FlowLog": "unknown to MiniStack, which has no network",
    "AWS::EC2::SecurityGroupEgress": "unknown to MiniStack, which limits no outgoing traffic",
    "AWS::EC2::SecurityGroupIngress": "unknown to MiniStack, which limits no incoming traffic",
}
"""Types of resources that are not deployed, with reasons."""

RUNTIME: Final = "provided.al2023"

_POLICIES: Final = ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy")
_ABOUT_TLS: Final = frozenset({"aws:SecureTransport", "s3:TlsVersion"})
_FUNCTION: Final = "AWS::Lambda::Function"
_LAYER: Final = "AWS::Lambda::LayerVersion"
_IN_TEXT: Final = re.compile(r"\$\{([^!.}][^.}]*)")


def emulated(
    template: Mapping[str, Any], *, store: Path, folders: Mapping[str, Path]
) -> dict[str, Any]:
    """Return the template for MiniStack; raises EmulatorError.

    `folders`: the folder of each asset on this machine, by its object's key.
    """
    resources = {name: _over_http(body) for name, body in template["Resources"].items()}
    gone = {name for name, body in resources.items() if _is_left_out(body)}
    kept = {
        name: _waiting_for(body, resources.keys() - gone)
        for name, body in resources.items()
        if name not in gone
    }
    made = {**template, "Resources": kept}
    if dangling := sorted(gone.intersection(_referred(made))):
        kind = resources[dangling[0]]["Type"]
        raise EmulatorError(f"the template refers to {dangling[0]}, but this {kind} is left out")
    for name, body in kept.items():
        if body["Type"] == _FUNCTION:
            kept[name] = _function(body, store, _layers(body, resources, folders))
    return made


def code_keys(template: Mapping[str, Any]) -> set[str]:
    """Return the keys of the objects that hold functions' code."""
    bodies = template["Resources"].values()
    return {body["Properties"]["Code"]["S3Key"] for body in bodies if body["Type"] == _FUNCTION}


def _over_http(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body["Type"] not in _POLICIES:
        return body
    properties = body["Properties"]
    document = properties["PolicyDocument"]
    left = [each for each in document["Statement"] if not _denies_http(each)]
    changed = {**properties, "PolicyDocument": {**document, "Statement": left}}
    return {**body, "Properties": changed}


def _denies_http(statement: Mapping[str, Any]) -> bool:
    keys = {key for test in statement.get("Condition", {}).values() for key in test}
    return statement["Effect"] == "Deny" and bool(keys) and keys <= _ABOUT_TLS


def _is_left_out(body: Mapping[str, Any]) -> bool:
    if body["Type"] in _POLICIES:
        return not body["Properties"]["PolicyDocument"]["Statement"]
    return body["Type"] in LEFT_OUT


def _waiting_for(body: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    waits = body.get("DependsOn", [])
    left = [name for name in ([waits] if isinstance(waits, str) else waits) if name in kept]
    rest = {key: value for key, value in body.items() if key != "DependsOn"}
    return {**rest, "DependsOn": left} if left else rest


def _referred(value: Any) -> Iterator[str]:
    """Yield the names that a part of a template refers to."""
    if isinstance(value, list):
        for each in value:
            yield from _referred(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            match key, each:
                case "Ref", str():
                    yield each
                case "Fn::GetAtt", str() | [str(), *_]:
                    yield (each if isinstance(each, str) else each[0]).partition(".")[0]
                case "Fn::Sub", str() | [str(), *_]:
                    yield from _IN_TEXT.findall(each if isinstance(each, str) else each[0])
            yield from _referred(each)


def _layers(
    body: Mapping[str, Any], resources: Mapping[str, Any], folders: Mapping[str, Path]
) -> list[Path]:
    """Return the folders of a function's layers, last first: on Lambda a later layer wins."""
    found = []
    for layer in reversed(body["Properties"].get("Layers", [])):
        resource = resources.get(layer["Ref"]) if isinstance(layer, dict) else None
        if resource is None or resource["Type"] != _LAYER:
            raise EmulatorError(f"the layer {layer} is not in the template: its content is unknown")
        found.append(folders[resource["Properties"]["Content"]["S3Key"]])
    return found


def _function(body: Mapping[str, Any], store: Path, layers: list[Path]) -> dict[str, Any]:
    properties = body["Properties"]
    variables = {
        **properties.get("Environment", {}).get("Variables", {}),
        "STORE_PATH": str(store),
        "PYTHONPATH": os.pathsep.join(str(layer / "python") for layer in layers),
    }
    changed = {"Runtime": RUNTIME, "Environment": {"Variables": variables}}
    return {**body, "Properties": {**properties, **changed}}
