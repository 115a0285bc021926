"""The checks that need no server, and the command's lines; a real Kafka is in tests/integration."""

from __future__ import annotations

import asyncio
import socket
import time
from email.utils import formatdate
from pathlib import Path

import pytest
from click.testing import CliRunner

from alerts.cli.doctor import doctor
from alerts.demo.receiver import Receiver
from alerts.doctor.carriers import check_carriers
from alerts.doctor.configuration import check_privacy, check_sources
from alerts.doctor.finding import Finding, Level, clock_finding
from alerts.doctor.kafka import check_kafka, check_rights, check_topics
from alerts.doctor.open_pages import check_open_pages, judge
from alerts.doctor.pager import check_pager_address, check_pager_settings
from alerts.doctor.redis import check_redis, judge_redis
from alerts.records import Delivery
from alerts.settings import Alerting, Alertmanager, PagerDuty, Settings
from streams.privacy import RecipientHasher
from streams.settings import CodeTable, Kafka, Privacy, Redis, Rule, Secret, Source
from streams.topic_admin import Difference
from streams.topics import TOPICS
from tests.alerts.incidents import incident

KEY = "a1" * 16
HEALTHY = {
    "redis_version": "7.2.4",
    "aof_enabled": 1,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
}


def levels(findings: list[Finding]) -> list[str]:
    return [f.level.value for f in findings]


def test_a_finding_is_one_line_with_what_to_do() -> None:
    line = str(Finding(Level.WARN, "redis", "appendonly is off", "set `appendonly yes`"))
    assert line == "warn  redis: appendonly is off -> set `appendonly yes`"


def test_no_source_at_all_fails() -> None:
    assert levels(list(check_sources(Settings()))) == ["fail"]


def test_sources_are_shown_with_codes_and_topic() -> None:
    settings = Settings(sources=(Source(name="twilio", format="twilio-status-callback"),))
    found = next(check_sources(settings))
    assert found.level is Level.OK
    assert found.found == "twilio (twilio-status-callback, codes twilio) on carrier-health.outcomes"


def test_a_code_table_that_can_not_be_read_fails_and_is_named() -> None:
    tables = (CodeTable(name="peer", file="/nowhere/peer.csv"),)
    source = Source(name="s", format="smpp-receipt", codes="peer")
    found = list(check_sources(Settings(code_tables=tables, sources=(source,))))
    assert levels(found)[:2] == ["fail", "fail"]
    assert "/nowhere/peer.csv" in found[0].found and "codes = 'peer'" in found[1].found


def test_a_rule_is_not_idle_while_a_table_extends_its_profile(tmp_path: Path) -> None:
    (tmp_path / "peer.csv").write_text("code,class\n0dc,absent_subscriber\n")
    table = CodeTable(name="peer", file=str(tmp_path / "peer.csv"), extends="twilio-smpp")
    source = Source(name="s", format="smpp-receipt", codes="peer")
    rule = Rule(name="r", profiles=("twilio-smpp",), codes=("001",))
    found = list(check_sources(Settings(code_tables=(table,), sources=(source,), rules=(rule,))))
    assert [str(f) for f in found] == [
        "ok    sources: s (smpp-receipt, codes peer) on carrier-health.outcomes"
    ]


def test_an_unknown_format_fails_and_names_the_source() -> None:
    found = next(check_sources(Settings(sources=(Source(name="east", format="pigeon"),))))
    assert found.level is Level.FAIL
    assert "east" in found.found


def test_an_account_on_two_topics_is_warned_of() -> None:
    settings = Settings(
        sources=(
            Source(name="a", format="twilio-status-callback", account="one"),
            Source(name="b", format="twilio-status-callback", account="one", topic="own"),
        )
    )
    assert any("account 'one'" in f.found for f in check_sources(settings) if f.level is Level.WARN)


def test_a_rule_that_no_source_can_meet_is_warned_of() -> None:
    settings = Settings(
        sources=(Source(name="twilio", format="twilio-status-callback"),),
        rules=(Rule(name="never", profiles=("vonage",)),),
    )
    assert [f.what for f in check_sources(settings) if f.level is Level.WARN] == ["rules"]


@pytest.mark.parametrize(
    ("key", "level"),
    [("", "fail"), ("k" * 32, "warn"), ("0123456789abcdef", "warn"), ("0123456789abcdef" * 2, "ok")],
)
def test_numbers_need_a_key_that_nobody_guesses_and_its_id_is_shown(key: str, level: str) -> None:
    settings = Settings(privacy=Privacy(recipient_key=Secret(key)))
    (found,) = check_privacy(settings)
    assert found.level == level
    assert not key or (RecipientHasher(Secret(key)).key_id in found.found and key not in str(found))


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["ok", "ok", "ok"]),
        ({"redis_version": "6.0.9"}, ["fail", "ok", "ok"]),
        ({"valkey_version": "9.1.0"}, ["ok", "ok", "ok"]),
        ({"aof_enabled": 0}, ["ok", "warn", "ok"]),
        ({"maxmemory_policy": "allkeys-lru"}, ["ok", "ok", "warn"]),
    ],
)
def test_redis_is_judged_by_what_it_says(changed: dict[str, object], expected: list[str]) -> None:
    assert levels(list(judge_redis(HEALTHY | changed))) == expected


def test_a_redis_that_is_away_fails_without_its_password() -> None:
    settings = Settings(redis=Redis(url=f"redis://:hunter2@127.0.0.1:{free_port()}/0"))
    (found,) = check_redis(settings)
    assert found.level is Level.FAIL
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("topic", "partitions", "words"), [("windows", None, "missing"), ("windows", 3, "must have 1")]
)
def test_topics_that_are_wrong_fail(topic: str, partitions: int | None, words: str) -> None:
    wanted = next(t for t in TOPICS if t.name == topic)
    (found,) = check_topics(Settings(), [Difference(topic, wanted, partitions)])
    assert found.level is Level.FAIL
    assert words in found.found


def test_too_few_replicas_are_warned_of() -> None:
    found = list(check_topics(Settings(), [Difference("windows", TOPICS[2], 1, {}, replicas=1)]))
    assert levels(found) == ["warn", "ok"]


@pytest.mark.parametrize(
    ("rights", "expected"),
    [
        (frozenset({"READ", "WRITE", "DESCRIBE"}), ["ok"]),
        (frozenset({"READ"}), ["warn"]),
        (frozenset[str](), ["warn"]),
        (None, []),
    ],
)
def test_rights_are_told_where_the_broker_says_them(
    rights: frozenset[str] | None, expected: list[str]
) -> None:
    assert levels(list(check_rights([Difference("windows", TOPICS[2], 1, rights=rights)]))) == expected


def test_kafka_that_is_away_is_one_finding_with_the_address() -> None:
    address = f"127.0.0.1:{free_port()}"
    (found,) = check_kafka(Settings(kafka=Kafka(bootstrap_servers=address)))
    assert found.level is Level.FAIL
    assert address in found.found


def test_nobody_paged_is_a_warning() -> None:
    settings = Settings(alerting=Alerting(mode="observe"))
    assert levels(list(check_pager_settings(settings))) == ["warn"]


def test_paging_without_a_key_fails() -> None:
    assert levels(list(check_pager_settings(Settings()))) == ["fail"]


def test_the_key_is_never_shown() -> None:
    settings = Settings(
        pagerduty=PagerDuty(routing_key=Secret(KEY)),
        alerting=Alerting(public_url="https://sms.example.org", runbook_url="https://sms.example.org/run"),
    )
    findings = list(check_pager_settings(settings))
    assert levels(findings) == ["ok"]
    assert KEY not in str(findings[0])


def test_who_pages_by_alertmanager_is_said() -> None:
    by_rule = Settings(alerting=Alerting(route="alertmanager"))
    assert "incidents.rules.yaml" in next(iter(check_pager_settings(by_rule))).found
    by_api = Settings(
        alerting=Alerting(route="alertmanager"), alertmanager=Alertmanager(urls="http://a, http://b")
    )
    assert "2 members" in next(iter(check_pager_settings(by_api))).found
    asked = [found.found for found in check_pager_address(by_api, lambda _: None)]
    assert asked == ["http://a answers", "http://b answers"]


def test_open_pages_whose_key_is_gone_are_named() -> None:
    told = (
        Delivery("pagerduty", "ch:a", "trigger", 1, 0, "old"),
        Delivery("pagerduty", "ch:b", "trigger", 1, 0, "old"),
        Delivery("pagerduty", "ch:b", "resolve", 2, 0, "old"),
        Delivery("pagerduty", "ch:c", "trigger", 1, 0, "new"),
        Delivery("pagerduty:ops", "ch:d", "trigger", 1, 0, "new"),
        Delivery("slack", "ch:a", "trigger", 1, 0),
    )
    found = list(judge([incident(deliveries=told)], {"pagerduty": ("new",)}))
    assert levels(found) == ["warn", "warn"]
    assert [f.found.split(" ")[0] for f in found] == ["ch:a", "ch:d"]
    assert levels(list(judge([incident()], {}))) == ["ok"]


def test_open_pages_wait_little_for_a_kafka_that_is_away() -> None:
    assert list(check_open_pages(Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:1")))) == []


def test_any_answer_of_the_pager_will_do_and_tells_the_time() -> None:
    findings = list(check_pager_address(Settings(), lambda _: formatdate(time.time(), usegmt=True)))
    assert levels(findings) == ["ok", "ok"]
    assert levels(list(check_pager_address(Settings(), lambda _: None))) == ["ok"]


def test_a_pager_out_of_reach_fails() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    (found,) = check_pager_address(Settings(pagerduty=PagerDuty(base_url=url)))
    assert found.level is Level.FAIL
    assert url in found.found


@pytest.mark.parametrize(("skew_s", "level"), [(0.3, "ok"), (-1.9, "ok"), (2.5, "warn"), (-30.0, "warn")])
def test_clocks_may_differ_by_two_seconds(skew_s: float, level: str) -> None:
    assert clock_finding("Redis", skew_s).level == level


def test_print_config_masks_secrets(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[pagerduty]\nrouting_key = "{KEY}"\n[privacy]\nrecipient_key = "secret-words"\n')
    result = CliRunner().invoke(doctor, ["--config", str(config), "--print-config"])
    assert result.exit_code == 0
    assert '"routing_key": "****"' in result.output
    assert KEY not in result.output
    assert "secret-words" not in result.output


async def test_a_test_page_opens_and_resolves(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        config = paging(tmp_path, f"http://127.0.0.1:{receiver.port}")
        args = ["--config", str(config), "--test-page"]
        result = await asyncio.to_thread(CliRunner().invoke, doctor, args)
        taken = [(e.status, e.effect) for e in receiver.log]
    assert result.exit_code == 0, result.output
    assert taken == [(202, "opened"), (202, "resolved")]


def test_a_test_page_that_is_not_taken_exits_1(tmp_path: Path) -> None:
    config = paging(tmp_path, f"http://127.0.0.1:{free_port()}")
    result = CliRunner().invoke(doctor, ["--config", str(config), "--test-page"])
    assert result.exit_code == 1
    assert "fail  test page: trigger" in result.output


def paging(folder: Path, url: str) -> Path:
    config = folder / "c.toml"
    config.write_text(f'[pagerduty]\nbase_url = "{url}"\nrouting_key = "{KEY}"\n')
    return config


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def test_the_share_of_unknown_carriers_waits_little_for_a_kafka_that_is_away() -> None:
    away = Settings(kafka=Kafka(bootstrap_servers="127.0.0.1:1"))
    start_s = time.monotonic()
    assert list(check_carriers(away)) == []
    assert time.monotonic() - start_s < 20, "the client waits 30 s by itself"
