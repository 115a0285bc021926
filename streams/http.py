"""Metrics, health and readiness of one role, and the pages that a role plugs in.

The server has a thread and an event loop of its own, so that a stage that is busy or blocked
still answers; whatever handlers show must be a snapshot that nobody changes.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from aiohttp import web

from streams.discreet import discreet_logger
from streams.errors import ConfigError
from streams.metrics import Metrics

Plug = Callable[[web.Application], None]
"""Adds routes or middleware to the application before it starts, in the server's thread."""

STOP_S = 5.0
KEEPALIVE_S = 75.0
"""Also the most that a head may take: longer than proxies keep their connections."""


class Readiness:
    """What must hold before a role takes part. Thread-safe; every condition starts unmet."""

    def __init__(self, *conditions: str, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._why: dict[str, str | None] = dict.fromkeys(conditions, "not yet")
        self._clock_s = clock_s
        self._renewed: dict[str, tuple[float, float]] = {}
        """When, and for how many seconds."""

    def set(self, name: str, ok: bool, why: str = "") -> None:
        """`why` is shown while `ok` is false; a name that is new becomes a condition."""
        with self._lock:
            self._why[name] = None if ok else (why or "no")

    def renew(self, name: str, for_s: float) -> None:
        """Holds for so long, and no longer unless it is renewed: a thread that hangs can not say so."""
        with self._lock:
            self._renewed[name] = self._clock_s(), for_s

    @property
    def reasons(self) -> list[str]:
        """`name: why` of each condition that does not hold, in the order they were named."""
        with self._lock:
            told = [f"{name}: {why}" for name, why in self._why.items() if why is not None]
            ages = [(n, self._clock_s() - at_s, for_s) for n, (at_s, for_s) in self._renewed.items()]
        return told + [f"{name}: none for {age_s:.0f} s" for name, age_s, for_s in ages if age_s > for_s]

    @property
    def ready(self) -> bool:
        return not self.reasons


class HttpServer:
    """`/metrics`, `/healthz`, `/readyz` and what the plugs add, on `host`:`port` (0: a free one)."""

    def __init__(
        self,
        metrics: Metrics,
        readiness: Readiness,
        host: str = "127.0.0.1",
        port: int = 0,
        plugs: Iterable[Plug] = (),
    ) -> None:
        self._metrics, self._readiness = metrics, readiness
        self._host, self._wanted_port, self._plugs = host, port, tuple(plugs)
        self._started: Future[int] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def port(self) -> int:
        """The port it listens on. Blocks until it does."""
        return self._started.result(STOP_S)

    @property
    def url(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Returns once it listens. Raises ConfigError when it can not listen there."""
        self._thread.start()
        try:
            self._started.result(STOP_S)
        except OSError as e:
            address = f"{self._host}:{self._wanted_port}"
            raise ConfigError(
                f"http: can not listen on {address}: {e.strerror}; choose another host or port"
            ) from e

    def stop(self) -> None:
        """Closes the port and ends the thread. Does nothing when it does not run."""
        if self._loop is None or self._stop is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(STOP_S)

    def __enter__(self) -> HttpServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as e:
            if not self._started.done():
                self._started.set_exception(e)
            else:
                raise

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        runner = web.AppRunner(
            self._application(),
            access_log=None,
            logger=discreet_logger(),
            keepalive_timeout=KEEPALIVE_S,
            shutdown_timeout=1.0,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._wanted_port).start()
            self._started.set_result(runner.addresses[0][1])
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def _application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/healthz", self._show_health)
        app.router.add_get("/readyz", self._show_readiness)
        for plug in self._plugs:
            plug(app)
        return app

    async def _show_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def _show_health(self, _: web.Request) -> web.Response:
        return web.Response(text="the process lives\n")

    async def _show_readiness(self, _: web.Request) -> web.Response:
        reasons = self._readiness.reasons
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)
