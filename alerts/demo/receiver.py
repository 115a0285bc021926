"""A receiver that is PagerDuty to its senders: for the demonstration and for tests.

It holds the Events v2 contract strictly, keeps alerts by (routing key, dedup key), counts who
would have been woken, writes down every request, and has moods: it can refuse, stall, throttle,
and accept without an answer. `python -m alerts.demo.receiver --port 9199` runs it alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import struct
import time
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from alerts.demo.contract import MAX_BODY_BYTES, errors
from alerts.notify.pagerduty import CHANGE_PATH, PATH, SUMMARY_CHARACTERS

KINDS = ("accept", "refuse", "stall", "throttle", "reset_after_accept", "reset")
Json = dict[str, Any]


class Mood(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How requests are met. `times` of them, then it accepts again; None: until told otherwise."""

    kind: str = "accept"
    status: int = 500
    """What `refuse` answers; `throttle` answers 429."""
    seconds: float = 3600.0
    """How long `stall` holds its answer back: 202 after that, unless the sender has gone."""
    retry_after_s: float | None = None
    times: int | None = None


class Entry(msgspec.Struct, frozen=True):
    """One request as it came and what it met. `at_ms` is wall time."""

    at_ms: int
    mood: str
    status: int
    """0: no answer was given."""
    effect: str
    """`opened`, `repeated`, `acknowledged`, `resolved`, `dropped`; '' when it was not taken."""
    notified: bool
    errors: list[str]
    event: Any


class Receiver:
    """An aiohttp server on `host`:`port` (0: a free one). Belongs to one event loop."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, log_file: Path | None = None) -> None:
        self._host, self._port, self._log_file = host, port, log_file
        self._runner: web.AppRunner | None = None
        self._stopping = asyncio.Event()
        self.mood = Mood()
        self.log: list[Entry] = []
        self.open: dict[tuple[str, str], str] = {}
        """State (`triggered`, `acknowledged`) of open alerts by (routing key, dedup key)."""
        self.resolved: list[tuple[str, str]] = []
        self.changes: list[Json] = []
        """Change events, which tell nobody."""

    async def start(self) -> None:
        self._stopping.clear()
        app = web.Application(client_max_size=2 * MAX_BODY_BYTES)
        app.router.add_post(PATH, self._enqueue)
        app.router.add_post(CHANGE_PATH, self._change)
        app.router.add_post("/control", self._control)
        app.router.add_get("/log", self._show_log)
        app.router.add_get("/alerts", self._show_alerts)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Receiver:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def port(self) -> int:
        assert self._runner is not None, "the receiver is not started"
        port: int = self._runner.addresses[0][1]
        return port

    @property
    def url(self) -> str:
        """What `pagerduty.base_url` is set to."""
        return f"http://{self._host}:{self.port}"

    @property
    def notifications(self) -> list[Entry]:
        """The requests that would have woken somebody."""
        return [entry for entry in self.log if entry.notified]

    def accept(self) -> None:
        self.mood = Mood()

    def refuse(self, status: int, times: int | None = None, retry_after_s: float | None = None) -> None:
        self.mood = Mood("refuse", status=status, times=times, retry_after_s=retry_after_s)

    def throttle(self, retry_after_s: float | None = None, times: int | None = None) -> None:
        self.mood = Mood("throttle", retry_after_s=retry_after_s, times=times)

    def stall(self, seconds: float = 3600.0, times: int | None = None) -> None:
        self.mood = Mood("stall", seconds=seconds, times=times)

    def reset(self, times: int | None = None) -> None:
        """Cuts the connection without having taken the event."""
        self.mood = Mood("reset", times=times)

    def reset_after_accept(self, times: int | None = None) -> None:
        """Takes the event, then cuts the connection instead of its 202."""
        self.mood = Mood("reset_after_accept", times=times)

    async def _enqueue(self, request: web.Request) -> web.StreamResponse:
        at_ms, mood = int(time.time() * 1000), self._next_mood()
        event, wrong = await _read(request)
        match mood.kind:
            case "refuse" | "throttle":
                status = 429 if mood.kind == "throttle" else mood.status
                self._write(Entry(at_ms, mood.kind, status, "", False, [], event))
                return _refusal(status, mood)
            case "reset":
                self._write(Entry(at_ms, mood.kind, 0, "", False, [], event))
                return _cut(request)
            case "stall":
                self._write(Entry(at_ms, mood.kind, 0, "", False, [], event))
                await self._hold(mood.seconds)
        return self._take(request, mood, event, wrong, at_ms)

    def _take(
        self, request: web.Request, mood: Mood, event: Any, wrong: list[str], at_ms: int
    ) -> web.StreamResponse:
        if wrong:
            self._write(Entry(at_ms, mood.kind, 400, "", False, wrong, event))
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
            return web.json_response(body, status=400)
        effect, key = self._apply(event)
        cut = mood.kind == "reset_after_accept"
        notified = effect == "opened" and event["payload"]["severity"] != "info"
        self._write(Entry(at_ms, mood.kind, 0 if cut else 202, effect, notified, [], event))
        if cut:
            return _cut(request)
        body = {"status": "success", "message": "Event processed", "dedup_key": key}
        return web.json_response(body, status=202)

    async def _change(self, request: web.Request) -> web.Response:
        """A change event is refused like any other, but never held, cut or answered late."""
        if self.mood.kind in ("refuse", "throttle"):
            return _refusal(self.mood.status, self._next_mood())
        change = await request.json()
        summary = change.get("payload", {}).get("summary", "")
        if not change.get("routing_key") or not 0 < len(summary) <= SUMMARY_CHARACTERS:
            return web.json_response({"status": "invalid event"}, status=400)
        self.changes.append(change)
        return web.json_response({"status": "success"}, status=202)

    def _apply(self, event: Json) -> tuple[str, str]:
        """What PagerDuty does with it: a trigger on an open alert tells nobody, what has no open
        alert under this routing key is dropped, after a resolve the same key opens anew."""
        dedup_key = event.get("dedup_key") or f"made-{len(self.log)}"
        alert = (event["routing_key"], dedup_key)
        action, is_open = event["event_action"], alert in self.open
        if action == "trigger":
            self.open.setdefault(alert, "triggered")
            return ("repeated" if is_open else "opened"), dedup_key
        if not is_open:
            return "dropped", dedup_key
        if action == "acknowledge":
            self.open[alert] = "acknowledged"
            return "acknowledged", dedup_key
        del self.open[alert]
        self.resolved.append(alert)
        return "resolved", dedup_key

    def _next_mood(self) -> Mood:
        mood = self.mood
        if mood.times is not None:
            left = mood.times - 1
            self.mood = msgspec.structs.replace(mood, times=left) if left > 0 else Mood()
        return mood

    async def _hold(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _write(self, entry: Entry) -> None:
        self.log.append(entry)
        if self._log_file is not None:
            with self._log_file.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")

    async def _control(self, request: web.Request) -> web.Response:
        """A Mood as JSON, such as {"kind": "refuse", "status": 502, "times": 3}."""
        try:
            mood = msgspec.json.decode(await request.read(), type=Mood)
        except (msgspec.ValidationError, msgspec.DecodeError) as e:
            return web.json_response({"error": str(e)}, status=400)
        if mood.kind not in KINDS:
            return web.json_response({"error": f"kind: allowed are {', '.join(KINDS)}"}, status=400)
        self.mood = mood
        return web.json_response(msgspec.to_builtins(mood))

    async def _show_log(self, _: web.Request) -> web.Response:
        return web.json_response(msgspec.to_builtins(self.log))

    async def _show_alerts(self, _: web.Request) -> web.Response:
        shown = [{"dedup_key": key, "state": state} for (_, key), state in self.open.items()]
        return web.json_response({"open": shown, "notifications": len(self.notifications)})


async def _read(request: web.Request) -> tuple[Any, list[str]]:
    body = await request.read()
    if len(body) > MAX_BODY_BYTES:
        return None, [f"the body has {len(body)} bytes, {MAX_BODY_BYTES} are allowed"]
    try:
        event = msgspec.json.decode(body)
    except msgspec.DecodeError as e:
        return None, [f"the body is not JSON: {e}"]
    return event, errors(event)


def _refusal(status: int, mood: Mood) -> web.Response:
    headers = {} if mood.retry_after_s is None else {"Retry-After": f"{mood.retry_after_s:g}"}
    return web.json_response({"status": "refused"}, status=status, headers=headers)


def _cut(request: web.Request) -> web.StreamResponse:
    """Resets the connection: with lingering off, closing sends RST instead of FIN."""
    transport = request.transport
    assert transport is not None
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    return web.Response(status=500)  # never reaches anybody


async def _run(host: str, port: int, log_file: Path | None) -> None:
    async with Receiver(host, port, log_file) as receiver:
        print(f"listening on {receiver.url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="alerts.demo.receiver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", type=Path, help="JSON lines, one a request")
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(args.host, args.port, args.log))


if __name__ == "__main__":
    main()
