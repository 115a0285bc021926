"""An HTTP server that does as it is told, for the contract of pagers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behave = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """`behave` answers each request; every request as it came is kept."""

    requests: list[Request] = field(default_factory=list)
    behave: Behave | None = None

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            self.requests.append(await _read(reader))
            assert self.behave is not None
            await self.behave(self.requests[-1], writer)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(head[0].split(" ")[1], headers, body)


def answers(status: int, body: bytes | str = b"", **headers: str) -> Behave:
    """Header names with `_` for `-`."""
    raw = body.encode() if isinstance(body, str) else body
    extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\nConnection: close\r\n{extra}\r\n"

    async def behave(_: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + raw)
        await writer.drain()

    return behave


async def says_what_it_heard(request: Request, writer: asyncio.StreamWriter) -> None:
    """400, with everything that came: path, headers and body."""
    heard = f"{request.path} {request.headers} ".encode() + request.body
    await answers(400, heard)(request, writer)


async def hangs(_: Request, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.CancelledError):  # the end of the test
        await asyncio.sleep(3600)


async def resets(_: Request, writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def babbles(_: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello?\r\n\r\n")
    await writer.drain()
