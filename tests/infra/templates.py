"""A CloudFormation template as the tests ask it: resources by type, references as text.

`text` writes what a template says about a value that only AWS will know: `${Role.Arn}` for
`{"Fn::GetAtt": ["Role", "Arn"]}`. Two values that are equal in AWS are then equal texts.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def text(value: Any) -> str:
    """Write a value with its references spelt out."""
    match value:
        case str():
            return value
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": pattern}:
            return str(pattern)
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(text(part) for part in parts)
    return json.dumps(value)


def listed(value: Any) -> list[Any]:
    """A value that CloudFormation takes one or many of, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


@dataclass(frozen=True)
class Resource:
    """One resource: its name in the template, and its properties."""

    name: str
    type: str
    properties: dict[str, Any]
    body: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.properties[key]

    def get(self, key: str, default: Any = None) -> Any:
        return self.properties.get(key, default)


class Resources:
    """Resources of a template."""

    def __init__(self, template: dict[str, Any]) -> None:
        self.template = template
        self._all = [
            Resource(name, body["Type"], body.get("Properties", {}), body)
            for name, body in template["Resources"].items()
        ]

    @classmethod
    def of_file(cls, path: Path) -> Resources:
        return cls(json.loads(path.read_text("utf-8")))

    def types(self) -> set[str]:
        return {each.type for each in self._all}

    def of_type(self, kind: str) -> list[Resource]:
        return [each for each in self._all if each.type == kind]

    def one(self, kind: str, named: str = "") -> Resource:
        """The only resource of a type, or the only one of this name."""
        # CDK appends eight digits to the names that constructs have.
        pattern = re.compile(rf"{named}([0-9A-F]{{8}})?" if named else ".*")
        [found] = [each for each in self.of_type(kind) if pattern.fullmatch(each.name)]
        return found

    def referred(self, value: Any, kind: str) -> Resource:
        """The resource of a type that a value refers to."""
        [found] = [each for each in self.of_type(kind) if f"${{{each.name}" in text(value)]
        return found

    def function(self, name: str) -> Resource:
        return self.one("AWS::Lambda::Function", f"Functions{name}")

    def role(self, function: str) -> Resource:
        return self.one("AWS::IAM::Role", f"Functions{function}Role")

    def functions(self) -> list[Resource]:
        return self.of_type("AWS::Lambda::Function")
