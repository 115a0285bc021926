"""A broker that asks who one is, the ways to tell it, and rights as ACLs."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from streams.embedded import EmbeddedKafka, Secure
from streams.rights import READ, WRITE, Rights
from streams.settings import Kafka, Secret
from tests.integration.certificates import Authority

SCRAM = {"SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256, "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512}
EVERYBODY = "everybody"
PREFIX = "secured-"
"""Of the topics that are there."""
WAIT_S = 20.0
WAYS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "mTLS")


def password(user: str) -> str:
    return f"{user}-s3cret-9f2c"


class Secured:
    """One user for each way in, `everybody`, who may do everything, and users for rights."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.authority = folder, Authority(folder)
        store = self.authority.key_store("broker")
        users = {EVERYBODY: password(EVERYBODY)}
        secure = Secure.of(store, self.authority.certificate, users)
        self.broker = EmbeddedKafka(folder / "kafka", secure=secure, keep_data=False)

    def start(self) -> None:
        self.broker.start()
        self._admin = AdminClient({"bootstrap.servers": self.broker.bootstrap_servers})
        for mechanism in SCRAM:
            self.add_user(EVERYBODY, mechanism)
        self._mutual = self.authority.pair(EVERYBODY)
        self.token_file = self.folder / "token"
        self.token_file.write_text(token(EVERYBODY))
        every = AclOperation.ALL
        kinds = (ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID)
        self.allow(_acl(kind, "*", every, EVERYBODY) for kind in kinds)

    def add_user(self, name: str, mechanism: str = "SCRAM-SHA-512") -> None:
        info = ScramCredentialInfo(SCRAM[mechanism], 4096)
        change = UserScramCredentialUpsertion(name, info, password(name).encode())
        self._admin.alter_user_scram_credentials([change])[name].result(WAIT_S)

    def allow(self, acls: Iterable[AclBinding]) -> None:
        for done in self._admin.create_acls(list(acls)).values():
            done.result(WAIT_S)

    def forbid(self, acls: Iterable[AclBinding]) -> None:
        for done in self._admin.delete_acls([_filter(a) for a in acls]).values():
            done.result(WAIT_S)

    def plain(self, prefix: str) -> Kafka:
        """The administrator's way, without TLS and name."""
        servers = self.broker.bootstrap_servers
        return Kafka(bootstrap_servers=servers, topic_prefix=prefix, replication_factor=1)

    def way(self, way: str, prefix: str, user: str = EVERYBODY, **other: object) -> Kafka:
        """The settings of one way in; `other` wins."""
        assert self.broker.secure is not None
        port = self.broker.secure.mtls_port if way == "mTLS" else self.broker.secure.sasl_port
        chosen: dict[str, object] = {
            "bootstrap_servers": f"127.0.0.1:{port}",
            "topic_prefix": prefix,
            "replication_factor": 1,
            "security_protocol": "SSL" if way == "mTLS" else "SASL_SSL",
            "ca_file": str(self.authority.certificate),
        }
        if way == "mTLS":
            pair = {"certificate_file": self._mutual.certificate, "key_file": self._mutual.key}
            chosen |= {key: str(path) for key, path in pair.items()}
        elif way == "OAUTHBEARER":
            chosen |= {"sasl_mechanism": way, "oauth_token_file": str(self.token_file)}
        else:
            chosen |= {"sasl_mechanism": way, "username": user, "password": Secret(password(user))}
        return Kafka(**(chosen | other))  # type: ignore[arg-type]


def token(subject: str) -> str:
    """An unsigned JWT, as a broker without a validator of its own takes it."""
    now_s = int(time.time())
    parts = ({"alg": "none"}, {"sub": subject, "iat": now_s - 1, "exp": now_s + 3600})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, ""])


def acls(rights: Rights, user: str) -> dict[str, AclBinding]:
    """Each right as the ACL that grants it, by how an error names it."""
    topics = [(READ, AclOperation.READ, t) for t in rights.reads]
    topics += [(WRITE, AclOperation.WRITE, t) for t in rights.writes]
    found = {f"{what} on topic {t}": _acl(ResourceType.TOPIC, t, op, user) for what, op, t in topics}
    for group in rights.groups:
        found[f"READ on group {group}"] = _acl(ResourceType.GROUP, group, AclOperation.READ, user)
    if prefix := rights.transactional_ids:
        kind, write = ResourceType.TRANSACTIONAL_ID, AclOperation.WRITE
        how = ResourcePatternType.PREFIXED
        found[f"WRITE on transactional id {prefix}"] = _acl(kind, prefix, write, user, how)
    return found


def _acl(
    kind: ResourceType,
    name: str,
    operation: AclOperation,
    user: str,
    how: ResourcePatternType = ResourcePatternType.LITERAL,
) -> AclBinding:
    return AclBinding(kind, name, how, f"User:{user}", "*", operation, AclPermissionType.ALLOW)


def _filter(a: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        a.restype, a.name, a.resource_pattern_type, a.principal, a.host, a.operation, a.permission_type
    )
