"""What can go wrong before AWS is asked for anything.

InfraError
├── SettingsError   a stage's file is missing, or says something impossible
├── BuildError      a layer or a function's code cannot be made, or is too large
├── SynthError      no template can be made, or a check of it found something
└── EmulatorError   the emulated cloud did not start, or did not take what was deployed to it

Each message is one line that says what happened, to what, and what to do.
"""

from __future__ import annotations


class InfraError(Exception):
    """Nothing was deployed."""


class SettingsError(InfraError):
    """A stage's file is missing, or says something impossible; the message names file and key."""


class BuildError(InfraError):
    """What is to be uploaded cannot be made."""


class SynthError(InfraError):
    """No template can be made."""


class EmulatorError(InfraError):
    """The emulated cloud is missing, did not start, or refused what was deployed to it."""
