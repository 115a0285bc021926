"""Why Kafka does not let us in, in words that say what to do.

Clients tell that a broker is away where in truth it refused a password or a certificate: the reason
is heard in the background. librdkafka's words for it are the clearest, so they stand for all clients.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException, Producer

from streams.errors import MonitorError, Unreachable
from streams.kafka_access import librdkafka
from streams.settings import Settings
from streams.settings_kafka import OAUTH, Kafka

PROBE_S = 3.0
_SLICE_S = 0.5
_AUTHENTICATION = (
    *(KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED),
    *(KafkaError.UNSUPPORTED_SASL_MECHANISM, KafkaError.ILLEGAL_SASL_STATE),
)
_WHY = re.compile(r"(?:SASL authentication error: )?(.+?)(?: \(after \d+ms.*)?$")
_OUR_CERTIFICATE = re.compile(r"certificate required|alert (?:bad|unknown|unsupported) c", re.I)
_THEIR_CERTIFICATE = re.compile(r"certificate verify failed|certificate could not be verified", re.I)
_NO_TLS = re.compile(r"wrong version number|packet length too long|unexpected eof|not an? SSL", re.I)


class Heard:
    """What librdkafka says behind the scenes: give `hear` to a client as `error_cb`."""

    def __init__(self, settings: Settings) -> None:
        self._kafka = settings.kafka
        self.advice = ""
        """The newest reason that says more than that nobody answers, '' while there is none."""

    def hear(self, error: KafkaError) -> None:
        self.advice = advice(self._kafka, error) or self.advice

    def beside(self, what: str) -> str:
        """`what`, and the reason where one is known."""
        return f"{what}; {self.advice}" if self.advice else what


def is_fatal(error: KafkaError) -> bool:
    """Whether the client that says so is of no use any more. The error of a consumer's message does not say
    `fatal`, its code does."""
    return error.code() == KafkaError._FATAL or error.fatal()


def not_allowed(kafka: Kafka, role: str, lacking: Iterable[str]) -> MonitorError:
    """What to raise when Kafka lets us in, and does not allow all that `role` needs."""
    return MonitorError(
        f"Kafka at {kafka.bootstrap_servers} does not allow {kafka.identity} what {role} needs: "
        f"{', '.join(lacking)}; grant it (docs/topics.md)"
    )


def advice(kafka: Kafka, error: KafkaError) -> str:
    """What to do about an error of names, passwords or certificates; '' where it is none of these."""
    text = error.str()
    if error.code() in _AUTHENTICATION:
        return f"Kafka does not let in {kafka.identity} ({_reason(text)}): {_check_name(kafka)}"
    if _THEIR_CERTIFICATE.search(text):
        return (
            "the broker's certificate is not trusted: kafka.ca_file must hold the CA that signed it, and "
            "kafka.bootstrap_servers the names that it is made out to"
        )
    if _OUR_CERTIFICATE.search(text):
        return (
            f"Kafka does not accept {kafka.identity}: it wants a certificate of a CA that it trusts in "
            "kafka.certificate_file, and its key in kafka.key_file"
        )
    if error.code() == KafkaError._SSL or _NO_TLS.search(text):
        spoken = f"does that port speak kafka.security_protocol = '{kafka.security_protocol}'?"
        return f"TLS fails ({_reason(text)}): {spoken}"
    return ""


def unreachable(settings: Settings, tried: str) -> Unreachable:
    """What to raise when another client than librdkafka failed: asks Kafka once more, for some seconds at
    most, and says why it does not let us in, if that is it."""
    why = _asked(settings) if settings.kafka.security_protocol != "PLAINTEXT" else ""
    return Unreachable("Kafka", settings.kafka.bootstrap_servers, f"{tried}; {why}" if why else tried)


def _asked(settings: Settings) -> str:
    heard = Heard(settings)
    try:
        probe = Producer({**librdkafka(settings), "error_cb": heard.hear, "log_level": 0})
    except KafkaException as e:  # no token
        return advice(settings.kafka, e.args[0])
    deadline = time.monotonic() + PROBE_S
    while not heard.advice and time.monotonic() < deadline:
        try:
            probe.list_topics(timeout=_SLICE_S)
            return ""
        except KafkaException:
            probe.poll(0)
    return heard.advice


def _check_name(kafka: Kafka) -> str:
    if kafka.sasl_mechanism == OAUTH:
        return "check kafka.oauth_token_file or kafka.oauth_token_url, and whose tokens the broker accepts"
    return (
        "check kafka.username, kafka.password (or what kafka.password_file holds), and that the broker has "
        f"this user for {kafka.sasl_mechanism or 'its mechanism'}"
    )


def _reason(text: str) -> str:
    """The end of librdkafka's line, without address and states."""
    found = _WHY.search(text.rpartition("/bootstrap: ")[2])
    return found.group(1) if found else text
