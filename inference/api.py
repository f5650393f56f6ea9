"""The Lambda entry point: `inference.api.handler`.

Importing this module is INIT. It reads the settings (a wrong one fails INIT, naming the variable),
imports what answering needs, registers the extension that keeps background work going (on Lambda
alone, and unless `BACKGROUND=thread`), and begins to load `PRELOAD_MODELS`. If there are none, the
store is first read by the first call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from inference.start import early  # isort: skip - first: it begins to read, imports packages
from inference.application import Application
from inference.background import Background
from inference.extension import extended
from inference.settings import Settings

if TYPE_CHECKING:
    from inference.extension import Handler

PRELOAD_BUDGET_S: Final = 8.0
"""How long INIT waits for what is loaded ahead: Lambda gives it 10 s, and begins anew."""

_background: Final = Background()
application: Final = Application(Settings.from_environ(os.environ), _background, early)
handler: Final[Handler] = extended(application, _background, os.environ)
# After registering: Lambda takes that during INIT only.
application.preload(PRELOAD_BUDGET_S)
