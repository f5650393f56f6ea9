"""Acknowledge findings of cdk-nag that are intended, with the reason, beside the construct.

Synthesis fails on a finding without an acknowledgment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from constructs import IConstruct


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept a finding (`IAM5[...]`) of the AwsSolutions pack below this construct."""
    rule_id = f"AwsSolutions::AwsSolutions-{rule}"
    Validations.of(construct).acknowledge(Acknowledgment(id=rule_id, reason=reason))
