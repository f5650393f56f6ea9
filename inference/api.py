"""The Lambda entry point: `inference.api.handler`.

Importing this module reads the settings (a wrong one fails the function's INIT, naming the
variable) and imports what answering needs. The store is first read by the first call.
"""

from __future__ import annotations

import os
from typing import Final

from inference.application import Application
from inference.settings import Settings

handler: Final = Application(Settings.from_environ(os.environ))
