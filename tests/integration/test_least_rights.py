"""With exactly the rights that docs/topics.md lists each role works; without one of them it names it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from alerts.rights import of_alerts
from alerts.settings import Settings, load
from streams import rights
from streams.embedded import EmbeddedValkey
from streams.errors import MonitorError
from streams.gateway import doors
from streams.log_reader import read_back
from streams.rights import Rights
from streams.settings import Secret, Source
from streams.topic_admin import TopicAdmin
from streams.topic_facts import TopicFacts
from streams.topics import WINDOWS
from streams.transaction import Transactions
from tests.faults.cluster import Role, wait_for
from tests.integration.gateway import AUTH_TOKEN, PUBLIC_URL, GatewayProcess, callback, post
from tests.integration.secured import PREFIX, Secured, acls, password

pytestmark = pytest.mark.needs_openssl

WAIT_S = 20.0
TWILIO = Source(name="twilio", format="twilio-status-callback", auth_token=Secret("12345"))


def rights_of(settings: Settings) -> dict[str, Rights]:
    """By role. In the order of the flow."""
    streams = (doors.rights(settings), rights.of_ingest(settings), rights.of_windows(settings))
    return {found.role: found for found in (*streams, of_alerts(settings))}


@pytest.mark.parametrize("role", ["gateway", "ingest", "windows", "alerts"])
def test_without_one_of_its_rights_a_role_names_it(secured: Secured, role: str) -> None:
    user = f"less-{role}"
    secured.add_user(user)
    settings = Settings(kafka=secured.way("SCRAM-SHA-512", PREFIX, user), sources=(TWILIO,))
    wanted = rights_of(settings)[role]
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


def begins(settings: Settings) -> str:
    try:
        Transactions(settings).begin_life()
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
        secured.allow(acls(wanted, f"ch-{name}").values())
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
