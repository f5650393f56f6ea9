"""The Lambda entry point of the predict function: `inference.predict_function.handler`.

Importing this module is INIT:

1. Read the settings. A wrong setting fails INIT with the name of its variable.
2. Register the extension that keeps the environment running for background work. Only on Lambda,
   and not if `BACKGROUND=thread`.
3. Start loading `PRELOAD_MODELS`. Without any, the first call is the first to read the store.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from inference.lambda_runtime.startup import early  # isort: skip - first: it starts reading files, and imports packages
from inference.http.application import Application
from inference.lambda_runtime.extension import extended
from inference.lambda_runtime.handover import Carried
from inference.process.background import Background
from inference.settings import Settings

if TYPE_CHECKING:
    from inference.lambda_runtime.extension import Calls
    from inference.lambda_runtime.handover import Handler

PRELOAD_BUDGET_S: Final = 8.0
"""Time that INIT waits for preloaded models. Lambda restarts one that exceeds 10 s."""


def _renewed(handler: Handler, calls: Calls, extension: str | None) -> Handler:
    from inference.lambda_runtime.recycling import Recycler  # noqa: PLC0415 - only Lambda needs it

    recycler = Recycler(os.environ, calls, extension)
    return recycler.around(handler, application.due, application.answered)


def _preload_budget_s() -> float:
    carried = Carried.from_environ(os.environ)
    return carried.left_s() if carried else PRELOAD_BUDGET_S


_background: Final = Background()
application: Final = Application(Settings.from_environ(os.environ), _background, early)
handler: Final[Handler] = extended(application, _background, os.environ, _renewed)
# After the extension is registered, which Lambda allows during INIT only.
application.preload(_preload_budget_s())
