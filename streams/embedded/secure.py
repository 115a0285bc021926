"""A broker that asks who one is: TLS and SASL listeners beside the plain one, and ACLs.

    BROKER   PLAINTEXT   the administrator, as User:ANONYMOUS; brokers and controllers among themselves
    SASL     SASL_SSL    PLAIN, SCRAM-SHA-256 and -512, OAUTHBEARER with unsigned tokens
    MTLS     SSL         who shows a certificate, by its common name

Everybody but the administrator may do only what an ACL says.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from streams.embedded.ports import free_port

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_OAUTH = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


class Secure(NamedTuple):
    """PEM files: `key_store` holds the broker's key (PKCS#8) and certificate, `trust_store` the CA.

    `users` are those of PLAIN. SCRAM's are made by the administrator, as Kafka keeps them itself.
    """

    key_store: Path
    trust_store: Path
    users: Mapping[str, str]
    sasl_port: int
    mtls_port: int

    @classmethod
    def of(cls, key_store: Path, trust_store: Path, users: Mapping[str, str]) -> Secure:
        """On two free ports."""
        sasl_port = free_port()
        return cls(key_store, trust_store, users, sasl_port, free_port(other_than=sasl_port))


def secure_settings(secure: Secure, port: int, controller_port: int) -> dict[str, str]:
    """Broker settings for these listeners beside the plain one."""
    users = "".join(f' user_{name}="{password}"' for name, password in secure.users.items())
    sasl = "listener.name.sasl"
    return {
        "listeners": f"BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port},"
        f"SASL://127.0.0.1:{secure.sasl_port},MTLS://127.0.0.1:{secure.mtls_port}",
        "advertised.listeners": f"BROKER://127.0.0.1:{port},SASL://127.0.0.1:{secure.sasl_port},"
        f"MTLS://127.0.0.1:{secure.mtls_port}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(secure.key_store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(secure.trust_store),
        "listener.name.mtls.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
        f"{sasl}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        f"{sasl}.plain.sasl.jaas.config": f"{_PLAIN} required{users};",
        f"{sasl}.scram-sha-256.sasl.jaas.config": f"{_SCRAM} required;",
        f"{sasl}.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
        f"{sasl}.oauthbearer.sasl.jaas.config": f'{_OAUTH} required unsecuredLoginStringClaim_sub="broker";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
