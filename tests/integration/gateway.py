"""A gateway in a process of its own, the requests that Twilio would send it, and what it wrote."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode
from urllib.request import Request, urlopen

from confluent_kafka import Consumer, TopicPartition
from twilio.request_validator import RequestValidator

from streams.embedded.ports import free_port
from streams.guard import Guard
from streams.settings import Kafka, Settings
from streams.topic_admin import TopicAdmin

AUTH_TOKEN, BEARER = "12345", "s3cret"
PUBLIC_URL = "https://sms.example.org"
FORM = "application/x-www-form-urlencoded; charset=UTF-8"
SOURCES = f"""
[[sources]]
name = "twilio"
format = "twilio-status-callback"
auth_token = "{AUTH_TOKEN}"
[[sources]]
name = "events"
format = "twilio-event-streams"
account = "twilio"
auth_token = "{AUTH_TOKEN}"
[[sources]]
name = "own"
format = "canonical"
bearer_token = "{BEARER}"
[[sources]]
name = "jasmin"
format = "jasmin-http"
bearer_token = "{BEARER}"
"""
START_S = 30.0


def make_topics(bootstrap: str, prefix: str) -> None:
    settings = Settings(kafka=Kafka(bootstrap_servers=bootstrap, topic_prefix=prefix, replication_factor=1))
    with TopicAdmin(settings) as admin:
        admin.apply()


class GatewayProcess:
    """Use `with`. `more` are lines of the section [gateway]."""

    def __init__(
        self, folder: Path, bootstrap: str, prefix: str, *more: str, port: int = 0, public: str = PUBLIC_URL
    ) -> None:
        self.port, self.pages_port = port or free_port(), free_port()
        self.config = folder / f"gateway-{self.pages_port}.toml"
        self.log = folder / f"gateway-{self.pages_port}.log"
        lines = (f"port = {self.port}", f'public_url = "{public}"', *more)
        self.config.write_text(
            f'[privacy]\nrecipient_key = "{"k" * 32}"\n'
            f'[kafka]\nbootstrap_servers = "{bootstrap}"\ntopic_prefix = "{prefix}"\n'
            f"[http]\ngateway_port = {self.pages_port}\n[gateway]\n" + "\n".join(lines) + SOURCES
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        line = [sys.executable, "-m", "alerts.cli", "gateway", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(line, stdout=log, stderr=log, start_new_session=True)
        self._guard = Guard(self.process.pid)
        self.wait_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._guard.release()

    def wait_ready(self, ready: bool = True) -> None:
        deadline = time.monotonic() + START_S
        while self._is_ready() is not ready:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.pages_port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def metric(self, name: str, **labels: str) -> float:
        with urlopen(f"http://127.0.0.1:{self.pages_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        found = re.findall(rf"^carrier_health_{name}(?:{{(.*)}})? (\S+)$", text, re.M)
        wanted = {f'{k}="{v}"' for k, v in labels.items()}
        return sum(float(value) for have, value in found if wanted <= set(have.split(",")))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


class Post(NamedTuple):
    """One request as a provider makes it."""

    target: str
    body: bytes
    headers: Mapping[str, str]


def callback(sid: str, query: str = "", base: str = PUBLIC_URL, **fields: str) -> Post:
    """A status callback, signed by Twilio's own package."""
    form = {"MessageSid": sid, "MessageStatus": "undelivered", "ErrorCode": "30003", "To": "+12025550123"}
    target, body = f"/v1/twilio/status{query}", urlencode(form | fields)
    signed = RequestValidator(AUTH_TOKEN).compute_signature(base + target, dict(parse_qsl(body)))
    headers = {"X-Twilio-Signature": signed, "Content-Type": FORM, "I-Twilio-Idempotency-Token": sid}
    return Post(target, body.encode(), headers)


def events(records: Sequence[Mapping[str, Any]]) -> Post:
    """A batch of Event Streams."""
    body = json.dumps(records)
    digest = RequestValidator(AUTH_TOKEN).compute_hash(body)
    target = f"/v1/events/events?bodySHA256={digest}"
    signed = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC_URL + target, {})
    return Post(target, body.encode(), {"X-Twilio-Signature": signed, "Content-Type": "application/json"})


def outcomes(body: bytes, **headers: str) -> Post:
    return Post("/v1/own/outcomes", body, {"Authorization": f"Bearer {BEARER}", **headers})


def post(gateway: GatewayProcess, post: Post) -> int:
    """The status that it is answered with."""
    request = Request(gateway.url + post.target, post.body, dict(post.headers), method="POST")
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


class Written(NamedTuple):
    """One record as it lies in Kafka."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    partition: int


def written(bootstrap: str, topic: str, *keys: bytes) -> list[Written]:
    """The records of a topic, by partition: all of them, or those with these keys."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "none",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    parts = consumer.list_topics(topic, 10).topics[topic].partitions
    out: list[Written] = []
    for part in sorted(parts):
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, part), 10)
        consumer.assign([TopicPartition(topic, part, low)])
        found: list[Any] = []
        while len(found) < high - low:
            found += consumer.consume(high - low, 1.0)
        out += [Written(m.key(), m.value(), m.headers() or [], part) for m in found]
    consumer.close()
    return [record for record in out if not keys or record.key in keys]
