"""What a station tells systemd: that it is ready, that it lives, that it ends. Nothing where systemd does not ask.

The protocol is a datagram to a socket that the environment names: https://www.freedesktop.org/software/systemd/man/
latest/sd_notify.html. A station says that it lives only while its loop moves, so that one that hangs is started anew.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Supervisor:
    """The service manager that has started this process, if one did.

    Attributes:
        seconds: it waits so long for a sign of life before it ends the process; None where it does not.
    """

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        own = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = os.environ.get("WATCHDOG_USEC", "") if own else ""
        self.seconds = int(microseconds) / 1e6 if microseconds.isdecimal() else None

    def ready(self, status: str) -> None:
        """The station runs."""
        self._tell(f"READY=1\nSTATUS={_one_line(status)}")

    def alive(self, status: str) -> None:
        """The station moves; `status` is shown by `systemctl status`."""
        self._tell(f"WATCHDOG=1\nSTATUS={_one_line(status)}")

    def says(self, status: str) -> None:
        """Show another status, without a sign of life."""
        self._tell(f"STATUS={_one_line(status)}")

    def stopping(self) -> None:
        """The station ends in an orderly way."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A manager that does not listen must not end the station.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
            sending.setblocking(False)
            sending.sendto(message.encode("utf-8", "replace"), address)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
