"""Who a process is, as models' histories name it."""

from __future__ import annotations

import getpass
import os
import socket


def publisher() -> str:
    """Who this process is: `user@host`. Any name can be written, whatever its bytes are."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in Lambda
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}".encode(errors="replace").decode()
