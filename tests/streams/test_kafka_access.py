"""One set of settings in the words of four clients, and the tokens of one of the ways in."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from confluent_kafka import KafkaError

from streams import kafka_access
from streams.errors import Unreachable
from streams.kafka_tokens import Token, Tokens
from streams.kafka_trouble import advice
from streams.rights import Rights
from streams.settings import Kafka, Secret, Settings

ROOT = Path(__file__).parents[2]
SERVERS = "one:9093,two:9093"
SCRAM = Kafka(
    bootstrap_servers=SERVERS,
    security_protocol="SASL_SSL",
    sasl_mechanism="SCRAM-SHA-256",
    username="ann",
    password=Secret("s3cret"),
)


STARTED_HERE = ("streams/embedded", "streams/simulate/feed.py", "alerts/bench", "alerts/demo")
"""What talks to brokers of its own, or is given the way in."""


@pytest.mark.parametrize(
    ("by_hand", "said_by"),
    [
        (r"[\"']bootstrap\.servers[\"']|\bbootstrap_servers=", "streams/kafka_access.py"),
        (r"\bfrom_url\((?!\s*\*\*)", "streams/settings_redis.py"),
    ],
)
def test_no_client_is_told_the_way_by_hand(by_hand: str, said_by: str) -> None:
    """Else it would not know of TLS and names."""
    modules = [p for top in ("streams", "alerts") for p in (ROOT / top).rglob("*.py")]
    paths = {str(p.relative_to(ROOT)) for p in modules if re.search(by_hand, p.read_text())}
    assert {p for p in paths if not p.startswith((*STARTED_HERE, said_by))} == set()


def test_librdkafka_is_told_in_its_words() -> None:
    assert kafka_access.librdkafka(Settings(kafka=SCRAM)) == {
        "bootstrap.servers": SERVERS,
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-256",
        "sasl.username": "ann",
        "sasl.password": "s3cret",
    }


def test_the_python_clients_are_told_in_theirs_and_check_certificates_and_names() -> None:
    theirs = kafka_access.aiokafka(Settings(kafka=SCRAM))
    assert theirs.pop("ssl_context").check_hostname is True
    assert theirs == {
        "bootstrap_servers": SERVERS,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "ann",
        "sasl_plain_password": "s3cret",
    }
    assert kafka_access.kafka_python(Settings(kafka=SCRAM))["bootstrap_servers"] == ["one:9093", "two:9093"]


def test_faust_is_told_by_credentials() -> None:
    told = kafka_access.faust(Settings(kafka=SCRAM))
    assert [str(url) for url in told["broker"]] == ["kafka://one:9093", "kafka://two:9093"]
    credentials = told["broker_credentials"]
    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-256")
    assert (credentials.username, credentials.password) == ("ann", "s3cret")


def test_without_tls_and_names_nothing_is_added() -> None:
    plain = Settings(kafka=Kafka(bootstrap_servers="one:9092"))
    assert kafka_access.librdkafka(plain) == {"bootstrap.servers": "one:9092"}
    assert kafka_access.aiokafka(plain) == {"bootstrap_servers": "one:9092"}
    assert list(kafka_access.faust(plain)) == ["broker"]


# Tokens


def jwt(**claims: Any) -> str:
    coded = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{coded}.c2ln"


def of_file(path: Path) -> Kafka:
    return Kafka(sasl_mechanism="OAUTHBEARER", oauth_token_file=str(path))


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_token_file_is_read_again_within_a_minute(tmp_path: Path) -> None:
    path, clock = tmp_path / "token", Clock()
    path.write_text(jwt(exp=5_000) + "\n")
    tokens = Tokens(of_file(path), clock)
    assert tokens.token().text == jwt(exp=5_000)
    path.write_text(jwt(exp=9_000))
    clock.now_s += 59
    assert tokens.token().text == jwt(exp=5_000)
    clock.now_s += 2
    assert tokens.token().text == jwt(exp=9_000)


@pytest.mark.parametrize("content", ["", jwt(exp=999), "\xff"], ids=["empty", "ended", "not ASCII"])
def test_a_token_file_without_a_token_in_force_is_told_without_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(Unreachable) as refused:
        Tokens(of_file(path), Clock()).token()
    assert str(path) in str(refused.value)
    assert not content or content not in str(refused.value)


def test_a_token_does_not_show_itself() -> None:
    assert repr(Token("tok3n", 5.0)) == "Token('****', 5.0)"


class Endpoint:
    """A token endpoint; `answer` is (status, body) of the next request."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, b'{"access_token": "tok3n", "expires_in": 100}')
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        here = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                here.asked.append((self.headers["Authorization"], parse_qs(form)))
                status, body = here.answer
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return None

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/token"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def of_endpoint(endpoint: Endpoint) -> Kafka:
    return Kafka(
        sasl_mechanism="OAUTHBEARER",
        oauth_token_url=endpoint.url,
        oauth_client_id="moni:tor",
        oauth_client_secret=Secret("s3cret"),
        oauth_scope="kafka",
    )


def test_an_endpoint_is_asked_by_client_credentials_once_for_most_of_a_tokens_life(
    endpoint: Endpoint,
) -> None:
    clock = Clock()
    tokens = Tokens(of_endpoint(endpoint), clock)
    assert [tokens.token(), tokens.token()] == [Token("tok3n", 1_100.0)] * 2
    basic = "Basic " + base64.b64encode(b"moni%3Ator:s3cret").decode()
    assert endpoint.asked == [(basic, {"grant_type": ["client_credentials"], "scope": ["kafka"]})]
    clock.now_s += 81
    tokens.token()
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    "answer, words",
    [
        ((401, b"s3cret"), "HTTP 401: check kafka.oauth_client_id"),
        ((302, b""), "HTTP 302"),
        ((200, b'{"token": "tok3n"}'), "the answer holds no access_token"),
        ((200, b"\xff"), "the answer holds no access_token"),
    ],
)
def test_an_endpoint_that_gives_none_is_told_without_the_secret(
    endpoint: Endpoint, answer: tuple[int, bytes], words: str
) -> None:
    endpoint.answer = answer
    with pytest.raises(Unreachable) as refused:
        Tokens(of_endpoint(endpoint), Clock()).token()
    assert words in str(refused.value)
    assert "s3cret" not in str(refused.value) and "tok3n" not in str(refused.value)
    assert len(endpoint.asked) == 1, "the secret goes nowhere else"


def test_an_endpoint_that_is_away_is_told() -> None:
    away = Kafka(oauth_token_url="http://127.0.0.1:9/token", oauth_client_id="m")
    with pytest.raises(Unreachable, match=r"the OAuth token endpoint at http://127\.0\.0\.1:9/token"):
        Tokens(away, Clock()).token()


# What went wrong


@pytest.mark.parametrize(
    "code, text, words",
    [
        (
            KafkaError._AUTHENTICATION,
            "sasl_ssl://one:9093/bootstrap: SASL authentication error: Nope (after 3ms in state AUTH_REQ)",
            "Kafka does not let in SCRAM-SHA-256 as 'ann' (Nope): check kafka.username",
        ),
        (KafkaError._SSL, "x: certificate verify failed: y", "kafka.ca_file must hold the CA that signed it"),
        (KafkaError._TRANSPORT, "x: tlsv13 alert certificate required", "in kafka.certificate_file"),
        (KafkaError._TRANSPORT, "x: sslv3 alert bad certificate", "in kafka.certificate_file"),
        (
            KafkaError._SSL,
            "x/bootstrap: wrong version number",
            "does that port speak kafka.security_protocol",
        ),
        (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down", ""),
        (KafkaError._TRANSPORT, "x: Connection refused", ""),
    ],
)
def test_each_trouble_says_what_to_do(code: int, text: str, words: str) -> None:
    told = advice(SCRAM, KafkaError(code, text))
    assert words in told
    assert bool(told) is bool(words)


def test_rights_that_are_not_there_are_named_and_those_that_nobody_told_of_are_not() -> None:
    wanted = Rights("windows", reads=("p", "w", "i"), writes=("w",))
    assert wanted.topics == ("p", "w", "i")
    told = {"p": ["READ", "DESCRIBE"], "w": ["READ"], "i": None}
    assert wanted.lacking(told) == ["WRITE on topic w"]
    assert wanted.lacking({"p": [], "w": ["WRITE"], "i": ["ALL"]}) == [
        "READ on topic p",
        "READ on topic w",
        "READ on topic i",
    ]
