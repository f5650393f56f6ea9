"""Identity of this process, for models' histories."""

from __future__ import annotations

import getpass
import os
import socket


def publisher() -> str:
    """Return `user@host` of this process. Characters that UTF-8 cannot encode become `?`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as on Lambda
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode()
