"""Acknowledges what cdk-nag finds and is as it should be, with the reason, beside the construct.

Synthesis fails on a finding that nobody acknowledged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Say why a finding of the AwsSolutions pack below this construct is right: `IAM5[...]`."""
    rule_id = f"AwsSolutions::AwsSolutions-{rule}"
    Validations.of(construct).acknowledge(Acknowledgment(id=rule_id, reason=reason))
