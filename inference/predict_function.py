"""The Lambda entry point: `inference.predict_function.handler`.

Importing this module is INIT. It reads the settings (a wrong one fails INIT, naming the variable),
imports what answering needs, registers the extension that keeps background work going (on Lambda
alone, and unless `BACKGROUND=thread`), and begins to load `PRELOAD_MODELS`. If there are none, the
store is first read by the first call.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from inference.lambda_runtime.startup import early  # isort: skip - first: it begins to read, imports packages
from inference.http.application import Application
from inference.lambda_runtime.extension import REPLACES, extended
from inference.process.background import Background
from inference.settings import Settings

if TYPE_CHECKING:
    from inference.lambda_runtime.extension import Calls, Handler

PRELOAD_BUDGET_S: Final = 8.0
"""How long INIT waits for what is loaded ahead: Lambda gives it 10 s, and begins anew."""


def _renewed(handler: Handler, calls: Calls, extension: str | None) -> Handler:
    from inference.lambda_runtime.recycling import Recycler  # noqa: PLC0415 - only Lambda needs it

    recycler = Recycler(os.environ, calls, extension)
    return recycler.around(handler, application.due, application.answered)


def _preload_budget_s() -> float:
    if REPLACES not in os.environ:
        return PRELOAD_BUDGET_S
    from inference.lambda_runtime.recycling import Carried  # noqa: PLC0415 - few processes replace another

    carried = Carried.from_environ(os.environ)
    return carried.left_s() if carried else PRELOAD_BUDGET_S


_background: Final = Background()
application: Final = Application(Settings.from_environ(os.environ), _background, early)
handler: Final[Handler] = extended(application, _background, os.environ, _renewed)
# After registering: Lambda takes that during INIT only.
application.preload(_preload_budget_s())
