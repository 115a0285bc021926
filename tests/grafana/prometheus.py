"""A real Prometheus over the simulated two hours."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.grafana.reading import Asked
from tests.grafana.simulated import RULE, STEP_S, openmetrics

CHOSEN = {
    "carrier-health-overview": {"carrier": ".*", "region": ".*", "rule": "twilio_30003"},
    "carrier-health-carrier": {"carrier": "311-480", "region": ".*", "rule": ".*"},
    "carrier-health-incident": {"carrier": "311-480", "region": ".*", "rule": "twilio_30003"},
    "carrier-health-monitor": {"source": ".*"},
}
"""What stands in each board's variables."""
RANGE = {"__rate_interval": f"{4 * STEP_S}s", "__range": "30m", "__interval": f"{STEP_S}s"}
READY_S = 60


class Found(NamedTuple):
    """One series: labels, and (epoch s, value)."""

    labels: dict[str, str]
    values: list[tuple[float, float]]

    @property
    def last(self) -> float:
        return self.values[-1][1]


class Prometheus(NamedTuple):
    url: str

    def at(self, expr: str, moment_s: int) -> list[Found]:
        """An instant query. Raises AssertionError for an error or a warning."""
        answer = self._ask("query", query=expr, time=moment_s)
        if answer["resultType"] == "scalar":
            return [Found({}, [_point(answer["result"])])]
        return [Found(one["metric"], [_point(one["value"])]) for one in answer["result"]]

    def over(self, expr: str, from_s: int, to_s: int, step_s: int = 60) -> list[Found]:
        answer = self._ask("query_range", query=expr, start=from_s, end=to_s, step=step_s)
        return [Found(one["metric"], [*map(_point, one["values"])]) for one in answer["result"]]

    def label_values(self, series: str, label: str) -> list[str]:
        given = urlencode({"match[]": series, "start": 0, "end": 4_000_000_000})
        with urlopen(f"{self.url}/api/v1/label/{label}/values?{given}", timeout=30) as answer:
            values: list[str] = json.load(answer)["data"]
        return values

    def _ask(self, kind: str, **given: Any) -> dict[str, Any]:
        with urlopen(f"{self.url}/api/v1/{kind}", urlencode(given).encode(), timeout=30) as answer:
            said = json.load(answer)
        assert said["status"] == "success" and not said.get("warnings"), said
        data: dict[str, Any] = said["data"]
        return data


def _point(given: list[Any]) -> tuple[float, float]:
    return float(given[0]), float(given[1])


def filled(asked: Asked) -> str:
    """A query as Grafana sends it; in a panel that is repeated for each rule, for one of them."""
    values = {**CHOSEN[asked.board], **RANGE}
    return with_values(asked.expr, values | ({"rule": RULE} if "$rule" in asked.panel else {}))


def with_values(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda m: values.get(m[1], m[0]), text)


@contextmanager
def running(folder: Path) -> Iterator[Prometheus]:
    """Blocks made of the simulated exposition, and a server that serves them until the end.

    Blocks hold no staleness marks, so what is exported no more must be gone after two scrapes.
    """
    text, data = folder / "simulated.txt", folder / "data"
    text.write_text(openmetrics())
    made = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(made, check=True, capture_output=True, timeout=120)
    with serving(folder, "{}\n", f"--query.lookback-delta={2 * STEP_S}s") as prometheus:
        yield prometheus


@contextmanager
def serving(folder: Path, config: str, *options: str) -> Iterator[Prometheus]:
    """A server on the data in `folder` that does what its configuration says, until the end."""
    path = folder / "prometheus.yaml"
    path.write_text(config)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y", "--log.level=error"]
    server = subprocess.Popen([*command, *options], cwd=folder)
    try:
        _wait(server, f"http://{address}/-/ready")
        yield Prometheus(f"http://{address}")
    finally:
        server.terminate()
        server.wait(30)


def _wait(server: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(READY_S * 10):
        assert server.poll() is None, "Prometheus has ended"
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("Prometheus does not become ready")
