"""A camera that speaks RTSP (RFC 2326) and sends JPEG in RTP (RFC 2435), by TCP or UDP, with a password (RFC 2617).

Small, for Debian and PyPI have no server that is: GStreamer's brings 60 packages, and FFmpeg's program only plays.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import re
import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import Self

_MOST = 1200  # bytes of JPEG in a packet
_SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=video 0 RTP/AVP 26\r\na=control:track\r\n"
)


def _packets(jpeg: bytes, sequence: itertools.count[int], ticks: int) -> list[bytes]:
    """The RTP packets of a baseline JPEG: its tables go in the head, its scan in pieces."""
    tables, at, width, height, kind = b"", 2, 0, 0, 0
    while True:
        marker, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        segment = jpeg[at + 4 : at + 2 + length]
        if marker == 0xDB:
            while segment:
                tables, segment = tables + segment[1:65], segment[65:]
        if marker == 0xC0:
            height, width = struct.unpack(">HH", segment[1:5])
            kind = 1 if segment[7] == 0x22 else 0  # 4:2:0 or 4:2:2
        at += 2 + length
        if marker == 0xDA:
            break
    scan, packets = jpeg[at:-2], []
    for offset in range(0, len(scan), _MOST):
        piece = scan[offset : offset + _MOST]
        head = struct.pack(">I", offset) + bytes([kind, 255, width // 8, height // 8])
        if offset == 0:
            head += struct.pack(">BBH", 0, 0, len(tables)) + tables
        last = 0x80 if offset + _MOST >= len(scan) else 0
        packets.append(
            struct.pack(">BBHII", 0x80, last | 26, next(sequence) & 0xFFFF, ticks, 7) + head + piece
        )
    return packets


class RtspServer:
    """Serves the JPEG files in turn, 50 a second, to whoever knows the password.

    Attributes:
        port: that it listens at, on 127.0.0.1.
        transports: that were asked for, "tcp" or "udp".
    """

    def __init__(self, files: Sequence[bytes], user: str, password: str) -> None:
        self._files = files
        self._secret = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.transports: set[str] = set()
        self._ended = threading.Event()
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.drop()
        for thread in self._threads:
            thread.join(5)

    def drop(self) -> None:
        """End all connections."""
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        self._clients.clear()

    def _start(self, what: object, *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self._clients.append(client)
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        gone = threading.Event()
        lock = threading.Lock()
        target: tuple[str, int] | None = None
        with client, contextlib.suppress(OSError), client.makefile("rb") as stream:
            while (first := stream.read(1)) and not self._ended.is_set():
                if first == b"$":  # what the player reports of its reception
                    stream.read(int.from_bytes(stream.read(3)[1:], "big"))
                    continue
                head = first
                while not head.endswith(b"\r\n\r\n"):
                    if not (line := stream.readline()):
                        return
                    head += line
                text = head.decode()
                method, number = text.split()[0], re.search(r"CSeq: *(\d+)", text, re.I)
                lines, body = [f"CSeq: {number[1] if number else 0}"], ""
                status = "200 OK"
                if method == "OPTIONS":
                    lines.append("Public: DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER")
                elif f"Basic {self._secret}" not in text:
                    status = "401 Unauthorized"
                    lines.append('WWW-Authenticate: Basic realm="camera"')
                elif method == "DESCRIBE":
                    body = _SDP
                    lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
                elif method == "SETUP":
                    ports = re.search(r"client_port=(\d+)", text)
                    target = ("127.0.0.1", int(ports[1])) if ports else None
                    self.transports.add("udp" if ports else "tcp")
                    way = (
                        f"RTP/AVP;unicast;client_port={ports[1]}-{int(ports[1]) + 1};server_port=6970-6971"
                        if ports
                        else "RTP/AVP/TCP;unicast;interleaved=0-1"
                    )
                    lines += ["Session: 1", f"Transport: {way}"]
                elif method == "PLAY":
                    lines += ["Session: 1", "Range: npt=0.000-"]
                with lock:
                    client.sendall(("\r\n".join([f"RTSP/1.0 {status}", *lines]) + "\r\n\r\n" + body).encode())
                if method == "PLAY" and status == "200 OK":
                    self._start(self._play, client, lock, gone, target)
        gone.set()

    def _play(
        self,
        client: socket.socket,
        lock: threading.Lock,
        gone: threading.Event,
        target: tuple[str, int] | None,
    ) -> None:
        sequence = itertools.count()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, contextlib.suppress(OSError):
            for turn in itertools.count():
                if gone.is_set() or self._ended.is_set():
                    return
                for packet in _packets(self._files[turn % len(self._files)], sequence, 1800 * turn):
                    if target is not None:
                        datagrams.sendto(packet, target)
                    else:
                        with lock:
                            client.sendall(b"$\0" + struct.pack(">H", len(packet)) + packet)
                time.sleep(0.02)
