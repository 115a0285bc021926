"""The Kafka and the Valkey that we start ourselves behave as servers that can be trusted in tests."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from redis import Redis

from streams.embedded import (
    AlreadyStarted,
    DownloadFailed,
    EmbeddedKafka,
    EmbeddedValkey,
    NotReady,
    PortInUse,
    jars,
)
from streams.embedded.broker_settings import broker_settings
from streams.embedded.cache import cache_dir
from streams.embedded.formatting import format_store, random_id
from streams.embedded.kafka import KAFKA_VERSION
from streams.embedded.ports import free_port

WAIT_S = 20.0
QUORUM = "1@127.0.0.1:2,2@127.0.0.1:3"


@pytest.fixture(scope="module")
def own_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory, own_port: int) -> Iterator[EmbeddedKafka]:
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=own_port, keep_data=False)
    yield broker
    broker.close()


@pytest.fixture
def own_kafka(own_broker: EmbeddedKafka) -> EmbeddedKafka:
    """A broker that a test may stop and kill, as it left it or started anew."""
    return own_broker if own_broker.running else own_broker.start()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(tmp_path / "valkey") as server:
        yield server


def create_topic(kafka: EmbeddedKafka, topic: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(WAIT_S)


def topics_of(kafka: EmbeddedKafka) -> set[str]:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    return set(admin.list_topics(timeout=WAIT_S).topics)


def produce(kafka: EmbeddedKafka, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "message.max.bytes": 16_000_000})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(WAIT_S) == 0


def transactional_producer(kafka: EmbeddedKafka, transactional_id: str) -> Producer:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "transactional.id": transactional_id})
    producer.init_transactions(WAIT_S)
    return producer


def produce_committed(kafka: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = transactional_producer(kafka, f"{topic}-committed")
    producer.begin_transaction()
    producer.produce(topic, value)
    producer.commit_transaction(WAIT_S)


def produce_aborted(kafka: EmbeddedKafka, topic: str, value: bytes) -> None:
    producer = transactional_producer(kafka, f"{topic}-aborted")
    producer.begin_transaction()
    producer.produce(topic, value)
    assert producer.flush(WAIT_S) == 0
    producer.abort_transaction(WAIT_S)


def consume(kafka: EmbeddedKafka, topic: str, count: int) -> list[bytes]:
    """The first `count` committed values of the topic, through a group of its own."""
    settings = {
        "group.id": f"{topic}-readers",
        "auto.offset.reset": "earliest",
        "fetch.message.max.bytes": 16_000_000,
    }
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, **settings})
    consumer.subscribe([topic])
    try:
        found = consumer.consume(count, timeout=WAIT_S)
        return [bytes(message.value() or b"") for message in found if message.error() is None]
    finally:
        consumer.close()


# Kafka


def test_kafka_hands_on_what_was_produced(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}receipts"
    create_topic(kafka, topic)
    produce(kafka, topic, b"one", b"two", b"three")
    assert consume(kafka, topic, 3) == [b"one", b"two", b"three"]


def test_kafka_shows_readers_only_what_was_committed(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}cells"
    create_topic(kafka, topic)
    produce_aborted(kafka, topic, b"aborted")
    produce_committed(kafka, topic, b"committed")
    assert consume(kafka, topic, 1) == [b"committed"]


def test_kafka_takes_values_of_ten_megabytes(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    topic, large = f"{topic_prefix}large", os.urandom(10_000_000)
    create_topic(kafka, topic)
    produce(kafka, topic, large)
    assert consume(kafka, topic, 1) == [large]


def test_kafka_does_not_invent_topics(kafka: EmbeddedKafka, topic_prefix: str) -> None:
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    assert (
        producer.list_topics(f"{topic_prefix}unknown", timeout=WAIT_S).topics[f"{topic_prefix}unknown"].error
    )
    assert f"{topic_prefix}unknown" not in topics_of(kafka)


def test_kafka_keeps_its_data_over_a_stop_and_a_start(own_kafka: EmbeddedKafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}kept"
    create_topic(own_kafka, topic)
    produce(own_kafka, topic, b"before")
    own_kafka.stop()
    own_kafka.start()
    produce(own_kafka, topic, b"after")
    assert consume(own_kafka, topic, 2) == [b"before", b"after"]


def test_kafka_keeps_what_was_committed_over_a_kill(own_kafka: EmbeddedKafka, topic_prefix: str) -> None:
    topic = f"{topic_prefix}committed"
    create_topic(own_kafka, topic)
    produce_committed(own_kafka, topic, b"committed")
    own_kafka.kill()
    assert not own_kafka.running
    own_kafka.start()
    produce_committed(own_kafka, topic, b"after the crash")
    assert consume(own_kafka, topic, 2) == [b"committed", b"after the crash"]


def test_kafka_drops_its_data_when_a_fresh_start_is_asked_for(
    own_kafka: EmbeddedKafka, topic_prefix: str
) -> None:
    create_topic(own_kafka, f"{topic_prefix}dropped")
    own_kafka.stop()
    own_kafka.start(fresh=True)
    assert topics_of(own_kafka) == set()


def test_kafka_listens_on_the_port_it_was_given(own_kafka: EmbeddedKafka, own_port: int) -> None:
    assert own_kafka.bootstrap_servers == f"127.0.0.1:{own_port}"
    with socket.create_connection(("127.0.0.1", own_port), timeout=WAIT_S):
        pass


def test_kafka_that_runs_is_not_started_twice(kafka: EmbeddedKafka) -> None:
    with pytest.raises(AlreadyStarted, match="runs already"):
        kafka.start()


def test_kafka_says_which_port_is_taken(kafka: EmbeddedKafka) -> None:
    with pytest.raises(PortInUse, match=rf"kafka cannot listen on 127\.0\.0\.1:{kafka.port}") as refused:
        EmbeddedKafka(port=kafka.port).start()
    assert refused.value.port == kafka.port


def test_kafka_that_ends_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="before it was ready") as failed:
        EmbeddedKafka(tmp_path, settings={"num.io.threads": "many"}).start()
    assert "Invalid value many for configuration num.io.threads" in str(failed.value)


def test_kafka_that_is_too_slow_is_given_up_and_ended(tmp_path: Path) -> None:
    slow = EmbeddedKafka(tmp_path, ready_timeout_s=0.01)
    with pytest.raises(NotReady, match=r"within 0\.01 s"):
        slow.start()
    assert not slow.running


def test_kafka_without_a_directory_of_its_own_leaves_nothing_behind() -> None:
    server = EmbeddedKafka(settings={"num.io.threads": "many"})
    with pytest.raises(NotReady):
        server.start()
    server.close()
    assert not server.data_dir.exists()


# The cache


def test_a_filled_cache_needs_no_network(kafka: EmbeddedKafka, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_resolve", lambda *_: pytest.fail("went to the network"))
    assert all(jar.suffix == ".jar" for jar in jars.kafka_jars(cache_dir(), KAFKA_VERSION))


def test_a_version_that_does_not_exist_is_a_download_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed) as failed:
        EmbeddedKafka(version="4.3.1-no-such-version", cache=tmp_path).start()
    text = str(failed.value)
    assert failed.value.artifact == "org.apache.kafka:kafka_2.13:4.3.1-no-such-version"
    for word in (failed.value.artifact, "tried: http", "HTTPS_PROXY", "mirror", str(tmp_path)):
        assert word in text


def test_a_download_error_does_not_tell_the_password_of_the_mirror(tmp_path: Path) -> None:
    mirror = "https://someone:hunter2@mirror.example/maven"
    text = str(DownloadFailed("g:a:1", [mirror], tmp_path, OSError(f"cannot reach {mirror}")))
    assert "hunter2" not in text
    assert text.count("https://***@mirror.example/maven") == 2


def test_a_jar_that_went_missing_is_downloaded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jars, "_resolve", one_jar)
    (jar,) = jars.kafka_jars(tmp_path, "1.0")
    jar.unlink()
    assert jars.kafka_jars(tmp_path, "1.0") == [jar]
    assert jar.exists()


def test_two_runs_that_start_at_once_download_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    downloads: list[str] = []
    both_wait = threading.Barrier(2)

    def counted(repository: Path, artifacts: Sequence[str], cache: Path) -> list[Path]:
        downloads.extend(artifacts)
        return one_jar(repository, artifacts, cache)

    def run(_: int) -> list[Path]:
        both_wait.wait(WAIT_S)
        return jars.kafka_jars(tmp_path, "1.0")

    monkeypatch.setattr(jars, "_resolve", counted)
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(run, range(2))
    assert first == second
    assert downloads == ["org.apache.kafka:kafka_2.13:1.0"]


def test_nodes_that_start_at_once_each_get_a_store_of_their_own_of_one_cluster(
    kafka: EmbeddedKafka, tmp_path: Path
) -> None:
    class_path = os.pathsep.join(map(str, jars.kafka_jars(cache_dir(), KAFKA_VERSION)))

    def formatted(node_id: str) -> dict[str, str]:
        store = tmp_path / node_id
        settings = broker_settings(1, 2, store, {"node.id": node_id, "controller.quorum.voters": QUORUM})
        format_store(store, tmp_path / "cache", settings, class_path)
        return dict(line.split("=", 1) for line in (store / "meta.properties").read_text().splitlines())

    (tmp_path / "cache").mkdir()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(formatted, ["1", "2"])
    assert first["cluster.id"] == second["cluster.id"]
    assert (first["node.id"], second["node.id"]) == ("1", "2")
    assert first["directory.id"] != second["directory.id"]
    assert formatted("1") == first, "a store that is there already was formatted anew"


def test_no_id_begins_with_a_dash_which_would_be_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([UUID(int=0xF8 << 120), UUID(int=1 << 120)])
    monkeypatch.setattr("uuid.uuid4", lambda: next(drawn))
    assert random_id() == "AQAAAAAAAAAAAAAAAAAAAA"


def test_the_cache_is_where_the_parameter_the_variable_or_the_platform_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("CARRIER_HEALTH_CACHE", raising=False)
    assert cache_dir() == tmp_path / "carrier-health"
    monkeypatch.setenv("CARRIER_HEALTH_CACHE", str(tmp_path / "named"))
    assert cache_dir() == tmp_path / "named"
    assert cache_dir(tmp_path / "given") == tmp_path / "given"


def one_jar(repository: Path, _artifacts: Sequence[str], _cache: Path) -> list[Path]:
    repository.mkdir()
    jar = repository / "kafka.jar"
    jar.touch()
    return [jar]


# Valkey


def test_valkey_keeps_its_data_over_a_kill(own_valkey: EmbeddedValkey) -> None:
    Redis.from_url(own_valkey.url).set("window", "counts")
    own_valkey.kill()
    assert not own_valkey.running
    own_valkey.start()
    assert Redis.from_url(own_valkey.url).get("window") == b"counts"


def test_valkey_keeps_its_data_over_a_stop_and_a_start(own_valkey: EmbeddedValkey) -> None:
    Redis.from_url(own_valkey.url).set("window", "counts")
    url = own_valkey.url
    own_valkey.stop()
    own_valkey.start()
    assert own_valkey.url == url
    assert Redis.from_url(url).get("window") == b"counts"


def test_valkey_drops_its_data_when_a_fresh_start_is_asked_for(own_valkey: EmbeddedValkey) -> None:
    Redis.from_url(own_valkey.url).set("window", "counts")
    own_valkey.stop()
    own_valkey.start(fresh=True)
    assert Redis.from_url(own_valkey.url).dbsize() == 0


def test_valkey_says_which_port_is_taken(valkey: EmbeddedValkey) -> None:
    with pytest.raises(PortInUse, match=f"valkey cannot listen on .*:{valkey.port}"):
        EmbeddedValkey(port=valkey.port).start()


def test_valkey_removes_its_directory_unless_told_to_keep_it(tmp_path: Path) -> None:
    with (
        EmbeddedValkey(tmp_path / "kept") as kept,
        EmbeddedValkey(tmp_path / "gone", keep_data=False) as gone,
    ):
        pass
    assert kept.data_dir.exists()
    assert not gone.data_dir.exists()


# The life of a server ends with the process that started it

START_AND_WAIT = """
import json, sys, threading
from pathlib import Path
from streams.embedded import EmbeddedValkey
server = EmbeddedValkey(Path(sys.argv[1])).start()
print(json.dumps({"pid": server.pid, "port": server.port}), flush=True)
sys.stdin.read() if sys.argv[2] == "wait" else None
"""


def start_in_another_process(data_dir: Path, then: str) -> tuple[subprocess.Popen[bytes], int]:
    """The other process, and the process id of the Valkey that it started."""
    command = [sys.executable, "-c", START_AND_WAIT, str(data_dir), then]
    starter = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert starter.stdout is not None
    return starter, int(json.loads(starter.stdout.readline())["pid"])


def is_gone_in_time(pid: int) -> bool:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_server_does_not_outlive_a_run_that_was_killed(tmp_path: Path) -> None:
    starter, server = start_in_another_process(tmp_path, "wait")
    starter.send_signal(signal.SIGKILL)
    starter.communicate()
    assert is_gone_in_time(server)


def test_a_server_that_nobody_stopped_is_stopped_at_the_end_of_the_run(tmp_path: Path) -> None:
    starter, server = start_in_another_process(tmp_path, "end")
    starter.communicate()
    assert is_gone_in_time(server)
    assert "bye bye" in (tmp_path / "valkey.log").read_text()
