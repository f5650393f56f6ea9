"""Errors of building and synthesizing, raised before any call to AWS.

InfraError
├── SettingsError   a stage's file is missing, or says something impossible
├── BuildError      a layer or a function's code cannot be built, or is too large
├── SynthError      the template cannot be made, or a check of it found something
└── EmulatorError   the emulated cloud did not start, or refused the deployment

Each message is one line that says what happened, to what, and what to do.
"""

from __future__ import annotations


class InfraError(Exception):
    """Nothing was deployed."""


class SettingsError(InfraError):
    """A stage's file is missing, or says something impossible; the message names file and key."""


class BuildError(InfraError):
    """An upload cannot be built."""


class SynthError(InfraError):
    """The template cannot be made."""


class EmulatorError(InfraError):
    """The emulated cloud is missing, did not start, or refused the deployment."""
