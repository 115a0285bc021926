"""The settings of Kafka: where it is, who we are to it, and how both sides prove themselves."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from streams.errors import ConfigError
from streams.settings_file import Secret, Section

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
PASSWORDS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
"""Mechanisms with a name and a password."""
OAUTH = "OAUTHBEARER"
MECHANISMS = (*PASSWORDS, OAUTH)
_TLS_KEYS = ("ca_file", "certificate_file", "key_file", "key_password")
_PASSWORD_KEYS = ("username", "password")
_ENDPOINT_KEYS = ("oauth_client_id", "oauth_client_secret", "oauth_scope")
_OAUTH_KEYS = ("oauth_token_file", "oauth_token_url", *_ENDPOINT_KEYS)
_HERE = ("127.0.0.1", "::1", "localhost")


class Kafka(Section, frozen=True):
    """One way in for all clients of all roles; `kafka_access` says it in the words of each."""

    bootstrap_servers: str = "127.0.0.1:9092"
    topic_prefix: str = "carrier-health."
    replication_factor: int = 3
    security_protocol: str = "PLAINTEXT"
    """As Kafka spells it: with SSL for TLS, with SASL_ for a name."""
    ca_file: str = ""
    """PEM of whoever signs the brokers' certificates; those that the system trusts while it is empty."""
    certificate_file: str = ""
    """PEM of our own certificate with what is between it and its CA, for mTLS."""
    key_file: str = ""
    """PEM of its private key."""
    key_password: Secret = Secret("")
    sasl_mechanism: str = ""
    username: str = ""
    password: Secret = Secret("")
    oauth_token_file: str = ""
    """A file that somebody else keeps fresh; read again at each need."""
    oauth_token_url: str = ""
    """Token endpoint, asked by OAuth 2.0's client credentials."""
    oauth_client_id: str = ""
    oauth_client_secret: Secret = Secret("")
    oauth_scope: str = ""

    @property
    def has_tls(self) -> bool:
        return self.security_protocol.endswith("SSL")

    @property
    def has_sasl(self) -> bool:
        return self.security_protocol.startswith("SASL_")

    @property
    def identity(self) -> str:
        """Who we are to Kafka, for people."""
        if self.has_sasl:
            name = f" as '{self.username}'" if self.username else ""
            return f"{self.sasl_mechanism}{name}"
        return f"the certificate {self.certificate_file}" if self.certificate_file else "nobody in particular"


def check_kafka(kafka: Kafka) -> None:
    """Refuses what no broker could take, and what contradicts itself, in words. Raises ConfigError."""
    if kafka.security_protocol not in PROTOCOLS:
        raise _refused("security_protocol", kafka.security_protocol, f"allowed are {', '.join(PROTOCOLS)}")
    _check_tls(kafka)
    _check_sasl(kafka)


def tls_context(kafka: Kafka) -> ssl.SSLContext:
    """What the Python clients connect with: certificates and host names are always checked.

    Raises ConfigError with the key of the file that can not be used.
    """
    context = ssl.create_default_context()
    if kafka.ca_file:
        context = _with_ca(kafka.ca_file)
    if kafka.certificate_file:
        _show_certificate(context, kafka)
    return context


def _check_tls(kafka: Kafka) -> None:
    if not kafka.has_tls:
        _refuse_set(kafka, _TLS_KEYS, "needs kafka.security_protocol = 'SSL' or 'SASL_SSL'")
        return
    if bool(kafka.certificate_file) != bool(kafka.key_file):
        have, lack = ("certificate", "key") if kafka.certificate_file else ("key", "certificate")
        raise ConfigError(f"kafka.{have}_file is set without kafka.{lack}_file: set both, or neither")
    if kafka.key_password and not kafka.key_file:
        raise ConfigError("kafka.key_password is set without kafka.key_file: it opens nothing")
    tls_context(kafka)


def _check_sasl(kafka: Kafka) -> None:
    if not kafka.has_sasl:
        wanted = "needs kafka.security_protocol = 'SASL_SSL' (or 'SASL_PLAINTEXT')"
        _refuse_set(kafka, ("sasl_mechanism", *_PASSWORD_KEYS, *_OAUTH_KEYS), wanted)
        return
    if kafka.sasl_mechanism not in MECHANISMS:
        raise _refused("sasl_mechanism", kafka.sasl_mechanism, f"allowed are {', '.join(MECHANISMS)}")
    if kafka.sasl_mechanism == OAUTH:
        _refuse_set(kafka, _PASSWORD_KEYS, "is not of OAUTHBEARER: leave it out, or choose another mechanism")
        _check_oauth(kafka)
        return
    _refuse_set(kafka, _OAUTH_KEYS, f"is of OAUTHBEARER, not of {kafka.sasl_mechanism}")
    if not kafka.username or not kafka.password:
        raise ConfigError(
            f"kafka.sasl_mechanism = '{kafka.sasl_mechanism}', but kafka.username or kafka.password is "
            "empty: set both; the password may come from kafka.password_file"
        )


def _check_oauth(kafka: Kafka) -> None:
    if bool(kafka.oauth_token_file) == bool(kafka.oauth_token_url):
        raise ConfigError(
            "kafka.sasl_mechanism = 'OAUTHBEARER': set one of kafka.oauth_token_file, a file that is kept "
            "fresh, and kafka.oauth_token_url, which is asked with kafka.oauth_client_id and its secret"
        )
    if kafka.oauth_token_file:
        _refuse_set(kafka, _ENDPOINT_KEYS, "is of kafka.oauth_token_url, which is not set")
        return
    if not kafka.oauth_client_id or not kafka.oauth_client_secret:
        raise ConfigError("kafka.oauth_token_url needs kafka.oauth_client_id and kafka.oauth_client_secret")
    _check_endpoint(kafka.oauth_token_url)


def _check_endpoint(url: str) -> None:
    try:
        parts = urlsplit(url)
        scheme, host, user = parts.scheme, parts.hostname or "", parts.username
    except ValueError:
        scheme, host, user = "", "", None
    if not host or user or not (scheme == "https" or (scheme == "http" and host in _HERE)):
        raise ConfigError(
            "kafka.oauth_token_url: must be https://HOST/PATH without a user, as a secret is sent there"
        )


def _with_ca(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as e:
        raise _unusable("ca_file", path, "certificates in PEM", e) from None


def _show_certificate(context: ssl.SSLContext, kafka: Kafka) -> None:
    for key in ("certificate_file", "key_file"):
        path = getattr(kafka, key)
        try:
            Path(path).read_bytes()
        except OSError as e:
            raise _unusable(key, path, "PEM", e) from None
    try:
        # Always a password: without one OpenSSL would ask for it at the terminal.
        context.load_cert_chain(kafka.certificate_file, kafka.key_file, kafka.key_password.reveal())
    except (OSError, ssl.SSLError):
        raise ConfigError(
            f"kafka.certificate_file = {kafka.certificate_file} and kafka.key_file = {kafka.key_file} do not "
            "fit: both must be PEM, the key that of the certificate, and kafka.key_password its password "
            "if it has one"
        ) from None


def _refuse_set(kafka: Kafka, keys: tuple[str, ...], why: str) -> None:
    for key in keys:
        if getattr(kafka, key):
            raise ConfigError(f"kafka.{key} is set, but {why}")


def _refused(key: str, value: str, allowed: str) -> ConfigError:
    return ConfigError(f"kafka.{key} = '{value}': {allowed}")


def _unusable(key: str, path: str, what: str, error: OSError) -> ConfigError:
    why = error.strerror or "it holds none"
    return ConfigError(f"kafka.{key} = {path}: must be a file with {what}: {why}")
