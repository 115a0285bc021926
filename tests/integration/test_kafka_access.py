"""Every Kafka client of ours, through every way in, against a broker that asks who one is; and every
role with exactly the rights that docs/topics.md lists, and with one less.

One file, so that one such broker does for all of it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from msgspec.structs import replace

from alerts.recipients import log as recipients_log
from alerts.rights import of_alerts
from alerts.settings import Settings, load
from streams import rights, topic_admin, topic_facts
from streams.consumer import consumer_config
from streams.embedded import EmbeddedValkey
from streams.engine import make_app
from streams.errors import MonitorError, Unreachable
from streams.gateway import doors
from streams.gateway.produce import Writer, producer_config
from streams.http import Readiness
from streams.kafka_trouble import unreachable
from streams.log_reader import read_back, read_log
from streams.rights import Rights
from streams.settings import Secret, Source
from streams.topic_admin import TopicAdmin
from streams.topic_facts import TopicFacts
from streams.topics import WINDOWS
from streams.transaction import Transactions
from tests.faults.cluster import Role, wait_for
from tests.integration.certificates import Authority
from tests.integration.gateway import AUTH_TOKEN, PUBLIC_URL, GatewayProcess, callback, post
from tests.integration.secured import PREFIX, WAYS, Secured, acls, password

pytestmark = pytest.mark.needs_openssl

WAIT_S = 20.0
TWILIO = Source(name="twilio", format="twilio-status-callback", auth_token=Secret(AUTH_TOKEN))


def write_as_the_gateway(settings: Settings) -> None:
    producer, failed = Producer(producer_config(settings)), list[Any]()
    producer.produce(settings.topic(WINDOWS), b"x", on_delivery=lambda e, _: failed.append(e) if e else None)
    assert producer.flush(WAIT_S) == 0
    assert failed == []


def read_as_ingest(settings: Settings) -> None:
    consumer = Consumer(consumer_config(settings))
    assert settings.topic(WINDOWS) in consumer.list_topics(timeout=WAIT_S).topics
    consumer.close()


def read_back_by_aiokafka(settings: Settings) -> None:
    assert isinstance(asyncio.run(read_log(settings, WINDOWS, 0)), list)


def write_by_faust(settings: Settings) -> None:
    async def write() -> None:
        app = make_app(settings, "group", "instance")
        producer = app.transport.create_producer()
        await producer.start()
        assert (await producer.send_and_wait(settings.topic(WINDOWS), b"k", b"x", None, None, {})) is not None
        await producer.stop()

    asyncio.run(write())


def look_by_kafka_python(settings: Settings) -> None:
    with TopicAdmin(settings) as admin:
        assert all(d.ok for d in admin.differences())


Client = Callable[[Settings], None]
CLIENTS = (
    write_as_the_gateway,
    read_as_ingest,
    read_back_by_aiokafka,
    write_by_faust,
    look_by_kafka_python,
)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("way", WAYS)
def test_every_client_gets_in_every_way(
    secured: Secured, way: str, client: Callable[[Settings], None]
) -> None:
    client(Settings(kafka=secured.way(way, PREFIX)))


def wrong(secured: Secured, way: str = "SCRAM-SHA-256") -> Settings:
    return Settings(kafka=secured.way(way, PREFIX, password=Secret("not-the-password")))


def ask_as_a_role(settings: Settings) -> None:
    TopicFacts(settings, (), rights.of_windows(settings)).load()


@pytest.mark.parametrize(
    "client", [ask_as_a_role, read_back_by_aiokafka, look_by_kafka_python], ids=lambda c: c.__name__
)
def test_a_wrong_password_is_told_in_words_that_say_what_to_do(
    secured: Secured, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_admin, "_TIMEOUT_MS", 1_000)
    monkeypatch.setattr(topic_facts, "_TIMEOUT_S", 1.0)
    with pytest.raises(Unreachable) as refused:
        client(wrong(secured))
    told = str(refused.value)
    assert "Kafka does not let in SCRAM-SHA-256 as 'everybody' (Authentication failed" in told
    assert "check kafka.username, kafka.password (or what kafka.password_file holds)" in told
    assert "not-the-password" not in told


async def test_the_gateway_tells_it_where_it_says_whether_it_is_ready(secured: Secured) -> None:
    settings, readiness = wrong(secured, "PLAIN"), Readiness()
    writer = Writer(settings, readiness, doors.rights(settings))
    writer.start()
    try:
        await asyncio.to_thread(
            wait_for, lambda: "check kafka.username" in str(readiness.reasons), "the gateway says why", WAIT_S
        )
    finally:
        await writer.stop()


@pytest.mark.parametrize(
    "way, other, words",
    [
        ("PLAIN", {"ca_file": ""}, "the broker's certificate is not trusted: kafka.ca_file must hold the CA"),
        (
            "mTLS",
            {"certificate_file": "", "key_file": ""},
            "it wants a certificate of a CA that it trusts in",
        ),
        ("OAUTHBEARER", {"oauth_token_file": "forged"}, "check kafka.oauth_token_file"),
    ],
)
def test_what_is_missing_of_certificates_and_tokens_is_named(
    secured: Secured, way: str, other: dict[str, str], words: str
) -> None:
    (secured.folder / "forged").write_text("no.token.")
    given = {k: str(secured.folder / v) if k == "oauth_token_file" else v for k, v in other.items()}
    told = str(unreachable(Settings(kafka=secured.way(way, PREFIX, **given)), "connecting"))
    assert words in told


def test_a_certificate_of_another_authority_is_not_accepted(secured: Secured, tmp_path: Path) -> None:
    pair = Authority(tmp_path, "another CA").pair("everybody")
    files = {"certificate_file": str(pair.certificate), "key_file": str(pair.key)}
    settings = Settings(kafka=secured.way("mTLS", PREFIX, **files))
    assert "it wants a certificate of a CA that it trusts" in str(unreachable(settings, "connecting"))


def rights_of(settings: Settings) -> dict[str, list[Rights]]:
    """By role, in the order of the flow. Alerts keeps what it needs for the list of recipients apart."""
    streams = (doors.rights(settings), rights.of_ingest(settings), rights.of_windows(settings))
    found = {each.role: [each] for each in (*streams, of_alerts(settings))}
    found["alerts"].append(recipients_log.rights(settings))
    return found


@pytest.mark.parametrize(
    ("role", "which"), [("gateway", 0), ("ingest", 0), ("windows", 0), ("alerts", 0), ("alerts", 1)]
)
def test_without_one_of_its_rights_a_role_names_it(secured: Secured, role: str, which: int) -> None:
    user = f"less-{role}-{which}"
    secured.add_user(user)
    settings = Settings(kafka=secured.way("SCRAM-SHA-512", PREFIX, user), sources=(TWILIO,))
    wanted = rights_of(settings)[role][which]
    begins = _begins_the_list if which else _begins
    granted = acls(wanted, user)
    secured.allow(granted.values())
    facts = TopicFacts(settings, wanted.topics, wanted)
    wait_for(lambda: loads(facts) == "", "all rights are granted", WAIT_S, every_s=0.05)
    for words, acl in granted.items():
        secured.forbid([acl])
        look = partial(begins, settings) if acl.name == wanted.transactional_ids else partial(loads, facts)
        named = (words, words.replace("READ", "DESCRIBE").replace("WRITE", "DESCRIBE"))
        wait_for(partial(says_one_of, look, named), words, WAIT_S, every_s=0.05)
        secured.allow([acl])
        wait_for(lambda: loads(facts) == "", "all rights are granted", WAIT_S, every_s=0.05)


def says_one_of(look: Callable[[], str], named: Sequence[str]) -> bool:
    said = look()
    return any(words in said for words in named)


def loads(facts: TopicFacts) -> str:
    try:
        facts.load()
    except MonitorError as e:
        return str(e)
    return ""


def _begins(settings: Settings) -> str:
    try:
        Transactions(settings).begin_life()
    except MonitorError as e:
        return str(e)
    return ""


def _begins_the_list(settings: Settings) -> str:
    try:
        recipients_log.RecipientLog(settings).begin(0)
    except MonitorError as e:
        return str(e)
    return ""


def test_with_exactly_its_rights_each_role_does_its_work(
    secured: Secured, valkey: EmbeddedValkey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a signed callback to a closed bucket, and the canary's round through all roles but the gateway."""
    prefix = "least-"
    config = tmp_path / "carrier-health.toml"
    gateway = GatewayProcess(tmp_path, "", prefix)
    gateway.config = config
    config.write_text(configuration(valkey, gateway))
    with TopicAdmin(Settings(kafka=secured.plain(prefix))) as admin:
        admin.apply()
    servers = secured.way("SCRAM-SHA-512", prefix)
    for key in ("bootstrap_servers", "topic_prefix", "security_protocol", "sasl_mechanism", "ca_file"):
        monkeypatch.setenv(f"CARRIER_HEALTH_KAFKA__{key.upper()}", getattr(servers, key))
    for name, wanted in rights_of(replace(load(config, {}), kafka=servers)).items():
        secured.add_user(f"ch-{name}")
        granted = {words: acl for each in wanted for words, acl in acls(each, f"ch-{name}").items()}
        secured.allow(granted.values())
        (tmp_path / f"{name}.password").write_text(password(f"ch-{name}") + "\n")
    roles = [Role(name, "0", config, tmp_path) for name in ("ingest", "windows", "alerts")]
    try:
        for role in roles:
            act_as(role.kind, tmp_path, monkeypatch)
            role.start()
        act_as("gateway", tmp_path, monkeypatch)
        with gateway:
            assert post(gateway, callback("SM-1", "?carrier=310-260")) == 204
            for role in roles:
                wait_for(lambda role=role: not role.reasons(), f"{role.kind} is ready", 60.0)
            wait_for(lambda: went_round(roles[-1]), "the canary went round", 60.0)
        seen = counted(Settings(kafka=secured.plain(prefix)))
        assert seen["310-260"] == 1
        said = "".join(role.output for role in roles) + gateway.log.read_text()
        assert not re.findall("not allow|uthoriz|ERROR|CRITICAL", said)
    finally:
        for role in roles:
            role.kill()


def act_as(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is started from now on has this role's name and password."""
    monkeypatch.setenv("CARRIER_HEALTH_KAFKA__USERNAME", f"ch-{name}")
    monkeypatch.setenv("CARRIER_HEALTH_KAFKA__PASSWORD_FILE", str(folder / f"{name}.password"))


def configuration(valkey: EmbeddedValkey, gateway: GatewayProcess) -> str:
    return f"""
[redis]
url = "{valkey.url}"
[privacy]
recipient_key = "{"k" * 32}"
[alerting]
mode = "observe"
canary_s = 1.0
[windows]
allowed_lateness_s = 1.0
[http]
gateway_port = {gateway.pages_port}
[gateway]
port = {gateway.port}
public_url = "{PUBLIC_URL}"
[[sources]]
name = "twilio"
format = "twilio-status-callback"
auth_token = "{AUTH_TOKEN}"
"""


def went_round(alerts: Role) -> bool:
    metrics = alerts.get("/metrics")[1]
    found = re.search(rb"^carrier_health_canary_last_seen_timestamp_seconds (\S+)$", metrics, re.M)
    return found is not None and float(found[1]) > 0


def counted(settings: Settings) -> Counter[str]:
    """Finals by carrier in the closed buckets."""
    counts: Counter[str] = Counter()
    for closed in (complete.cells for complete in asyncio.run(read_back(settings, WINDOWS, 3600))):
        for key, n in zip(closed.key, closed.finals, strict=True):
            counts[closed.keys[key].carrier] += n
    return counts
