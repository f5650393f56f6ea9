"""IAM's decision, as far as this project's policies need it: they are evaluated, not compared.

What any matching statement denies is denied; else what any allows is allowed; else it is denied.
Source: the IAM user guide, "Policy evaluation logic". For EFS, a role's policies and the file
system's count alike, and either may allow (EFS user guide, "Using IAM to control access").
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.infra.templates import listed, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.infra.templates import Resource, Resources


@dataclass(frozen=True)
class Request:
    """A request to IAM: principal, action, resource, and condition keys."""

    principal: str
    action: str
    resource: str
    context: dict[str, str] = field(default_factory=dict)


def identity_statements(resources: Resources, role: Resource) -> list[dict[str, Any]]:
    """Every statement of the policies that a role has."""
    assert not role.get("ManagedPolicyArns"), "AWS's managed policies cannot be evaluated here"
    own = [policy["PolicyDocument"] for policy in role.get("Policies", ())]
    attached = [
        policy["PolicyDocument"]
        for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy")
        for policy in resources.of_type(kind)
        if {"Ref": role.name} in policy.get("Roles", ())
    ]
    return [statement for document in own + attached for statement in document["Statement"]]


def is_allowed(
    request: Request,
    identity: Iterable[dict[str, Any]],
    resource: Iterable[dict[str, Any]] = (),
) -> bool:
    """Decide a request by the statements of the asker and of what is asked for."""
    effects = {each["Effect"] for each in identity if _applies(each, request)}
    effects |= {
        each["Effect"]
        for each in resource
        if _is_named(each["Principal"], request.principal) and _applies(each, request)
    }
    return "Allow" in effects and "Deny" not in effects


def _is_named(principal: Any, asker: str) -> bool:
    if principal == "*":
        return True
    assert set(principal) <= {"AWS", "Service"}, f"unknown principals: {principal}"
    return any(text(each) in {"*", asker} for each in listed(principal.get("AWS")))


def _applies(statement: dict[str, Any], request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert not unknown, f"unknown in a statement: {unknown}"
    return (
        _matches(statement["Action"], request.action)
        and _matches(statement["Resource"], request.resource)
        and all(
            _holds(operator, key, listed(values), request.context)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _matches(patterns: Any, value: str) -> bool:
    return any(
        fnmatch.fnmatchcase(value, text(each).replace("[", "[[]")) for each in listed(patterns)
    )


def _holds(operator: str, key: str, values: list[Any], context: dict[str, str]) -> bool:
    wanted = {text(value) for value in values}
    match operator:
        case "StringEquals":
            return context.get(key) in wanted
        case "StringNotEquals":
            return context.get(key) not in wanted
        case "Bool":
            return context.get(key) in wanted
        case "Null":
            return ("false" if key in context else "true") in wanted
    raise AssertionError(f"unknown condition operator: {operator}")
