"""People's way into incidents, whole: the command line and PagerDuty's webhook, Kafka, the alerts role.

closed buckets --> alerts --> incidents, pages
                     ^
       incident-commands <-- `incidents ack`, the pages in a browser, POST /v1/pagerduty/webhook
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import msgspec
import pytest
from confluent_kafka import Producer

from alerts.demo.receiver import Receiver
from alerts.demo.stage import ReceiverThread
from alerts.records import Incident
from streams.embedded import EmbeddedKafka, EmbeddedValkey
from streams.gateway.webhook import signature
from tests.alerts.test_station import NETWORK, log_of
from tests.chromium import PHONE, Tab, chromium
from tests.faults.cluster import Role, wait_for
from tests.integration.gateway import GatewayProcess, make_topics, written

SECRET = "a-secret-of-pagerduty"
TOKEN = "a-token-of-the-incident-pages"
OPEN_BUCKETS = 45
"""Of test_station's log: the fault is on, the incident is open."""
WITHIN_S = 120.0


class Desk:
    """An alerts role, a gateway and a pager's receiver on topics of their own."""

    def __init__(self, folder: Path, kafka: str, prefix: str, valkey: str, pager: str) -> None:
        self.kafka, self.prefix, self.folder = kafka, prefix, folder
        self.config = folder / "alerts.toml"
        self.config.write_text(
            f'[kafka]\nbootstrap_servers = "{kafka}"\ntopic_prefix = "{prefix}"\n'
            f'[redis]\nurl = "{valkey}"\n'
            f'[alerts]\ngroup = "{prefix}alerts"\n'
            f'[pagerduty]\nbase_url = "{pager}"\nrouting_key = "{"k" * 32}"\n'
            f'[pages]\ntoken = "{TOKEN}"\n'
            '[[sources]]\nname = "twilio"\nformat = "canonical"\ncodes = "twilio"\n'
        )
        self.alerts = Role("alerts", "a", self.config, folder)

    def close_buckets(self, buckets: slice) -> None:
        producer = Producer({"bootstrap.servers": self.kafka})
        for value in log_of(NETWORK, 1200)[buckets]:
            producer.produce(f"{self.prefix}windows", value, "b")
        assert producer.flush(30) == 0

    def incident(self) -> Incident | None:
        records = written(self.kafka, f"{self.prefix}incidents")
        return msgspec.json.decode(records[-1].value, type=Incident) if records else None

    def until(self, seen: Callable[[Incident], bool]) -> Incident:
        def found() -> bool:
            incident = self.incident()
            return incident is not None and seen(incident)

        wait_for(found, "the incident", WITHIN_S)
        incident = self.incident()
        assert incident is not None
        return incident

    def cli(self, *arguments: str, code: int = 0) -> str:
        line = [sys.executable, "-m", "alerts.cli", "incidents", *arguments, "--config", str(self.config)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def page(self, path: str) -> str:
        return self.alerts.get(path)[1].decode()

    def commands(self) -> list[dict[str, Any]]:
        return [json.loads(r.value) for r in written(self.kafka, f"{self.prefix}incident-commands")]


@pytest.fixture(scope="module")
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture(scope="module")
def desk(
    tmp_path_factory: pytest.TempPathFactory, kafka: EmbeddedKafka, valkey: EmbeddedValkey, receiver: Receiver
) -> Iterator[Desk]:
    folder, prefix = tmp_path_factory.mktemp("desk"), f"test-desk-{time.time_ns()}-"
    make_topics(kafka.bootstrap_servers, prefix)
    with ReceiverThread(receiver) as pager:
        made = Desk(folder, kafka.bootstrap_servers, prefix, valkey.url, pager.url)
        made.close_buckets(slice(0, OPEN_BUCKETS))
        made.alerts.start()
        try:
            yield made
        finally:
            made.alerts.kill()


@pytest.fixture(scope="module")
def gateway(desk: Desk) -> Iterator[GatewayProcess]:
    made = GatewayProcess(desk.folder, desk.kafka, desk.prefix)
    made.config.write_text(made.config.read_text() + f'[pagerduty]\nwebhook_secret = "{SECRET}"\n')
    with made as running:
        yield running


def post(gateway: GatewayProcess, body: bytes, signed: str) -> int:
    headers = {"X-PagerDuty-Signature": signed, "X-Webhook-Id": "d-1", "Content-Type": "application/json"}
    request = Request(f"{gateway.url}/v1/pagerduty/webhook", body, headers, method="POST")
    try:
        with urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except HTTPError as refused:
        return refused.code


def event(kind: str, key: str, id: str) -> bytes:
    incident = {"id": "PGR0VU2", "incident_key": key, "resolve_reason": None}
    agent = {"id": "PLH1HKV", "summary": "Tenex Engineer", "type": "user_reference"}
    told = {"id": id, "event_type": kind, "occurred_at": None, "agent": agent, "data": incident}
    return json.dumps({"event": told}).encode()


def test_an_acknowledgement_on_the_command_line_appears_in_incidents(desk: Desk) -> None:
    incident = desk.until(lambda i: bool(i.deliveries))
    assert incident.key in desk.cli("list", "--open")
    desk.cli("ack", "carrier:c1", "--author", "ann", "--text", "calling +12025550123")
    incident = desk.until(lambda i: i.people.acknowledged_ms > 0)
    assert incident.people.acknowledged_by == "ann"
    assert "acknowledged by ann" in desk.page("/incidents")
    assert "open, acknowledged" in desk.cli("show", incident.key)
    assert not any("2025550123" in json.dumps(c) for c in desk.commands())
    assert "no incident 'nothing'" in desk.cli("ack", "nothing", code=1)


@pytest.mark.needs_chromium
def test_a_note_written_in_a_browser_lands_in_incidents_and_the_page_shows_what_the_journal_holds(
    desk: Desk,
) -> None:
    incident = desk.until(lambda i: bool(i.deliveries))
    path = f"/incidents/{incident.key}"
    with chromium() as browser:
        tab = Tab(browser, f"http://127.0.0.1:{desk.alerts.port}", PHONE, script=False)
        tab.sign_in(TOKEN, "carol", path)
        tab.page.get_by_label("Note").fill("<b>ticket 4711</b> for +12025550123")
        tab.page.get_by_role("button", name="Write the note").click()
        noted = desk.until(lambda i: any(n.author == "carol" for n in i.people.notes))
        (note,) = [n for n in noted.people.notes if n.author == "carol"]
        assert note.via == "page" and note.text.startswith("<b>ticket 4711</b>")
        assert "2025550123" not in note.text

        def whole() -> bool:
            tab.open(path)
            return tab.page.locator("svg.chart").count() == 5 and "<b>ticket 4711</b>" in tab.text

        wait_for(whole, "the note and the plots", WITHIN_S)
        assert "First flag" in tab.text and "of the messages failed at" in tab.text
        assert tab.wrong == []
        tab.close()


def test_a_silence_is_listed_with_its_end_on_the_command_line_and_on_the_pages(desk: Desk) -> None:
    desk.cli("silence", "--match", "carrier=c9", "--for", "2h", "--reason", "known outage", "--author", "bob")
    wait_for(lambda: "known outage" in desk.page("/incidents"), "the silence", WITHIN_S)
    assert "carrier=c9" in desk.cli("silence", "--list")
    (held,) = json.loads(desk.page("/api/v1/silences"))["silences"]
    desk.cli("silence", "--end", held["id"])
    wait_for(lambda: not json.loads(desk.page("/api/v1/silences"))["silences"], "its end", WITHIN_S)
    assert desk.cli("silence", "--list") == ""


def test_a_resolve_at_pagerduty_closes_the_incident_also_for_the_next_owner(
    desk: Desk, gateway: GatewayProcess, receiver: Receiver
) -> None:
    """The word comes, twice, while nobody owns the log: it is taken before anybody is paged."""
    incident = desk.until(lambda i: bool(i.deliveries))
    desk.alerts.kill()
    paged = len(receiver.notifications)
    body = event("incident.resolved", incident.key, "e-1")
    assert post(gateway, body, signature(b"another", body)) == 403
    before = len(desk.commands())
    assert [post(gateway, body, signature(SECRET.encode(), body)) for _ in range(2)] == [204, 204]
    assert len(desk.commands()) == before + 2, "written before it was answered"
    assert post(gateway, b"{}", signature(SECRET.encode(), b"{}")) == 400
    ping = event("pagey.ping", "", "e-2")
    assert post(gateway, ping, signature(SECRET.encode(), ping)) == 204
    assert gateway.metric("gateway_requests_total", source="pagerduty", result="ignored") == 1

    desk.close_buckets(slice(OPEN_BUCKETS, None))
    desk.alerts.start()
    incident = desk.until(lambda i: i.people.closed and i.state == "resolved")
    assert incident.people.closed_by == "Tenex Engineer"
    assert [d.action for d in incident.deliveries if d.by == "Tenex Engineer"] == ["resolve"]
    assert [d.action for d in incident.deliveries if not d.by].count("trigger") == 1
    told = f"/incidents/{incident.key}"
    wait_for(lambda: "First flag" in desk.page(told), "what another process wrote down", WITHIN_S)
    assert len(receiver.notifications) == paged == 1
    assert 'incident_commands_total{result="repeated"} 1.0' in desk.page("/metrics")
