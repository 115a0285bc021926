"""A CA of the test's own, and what it signs: made by openssl, in PEM."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

_DAYS = "2"


class Pair(NamedTuple):
    """A certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for 127.0.0.1 in `folder`, by their common names."""

    def __init__(self, folder: Path, name: str = "test CA") -> None:
        self._folder = folder
        self.certificate, self._key = folder / "ca.pem", folder / "ca.key"
        _openssl(
            "req", "-x509", *_new(self._key), "-subj", f"/CN={name}", "-days", _DAYS, "-out", self.certificate
        )

    def pair(self, name: str) -> Pair:
        """Made anew at each call; the key is PKCS#8 without a password."""
        made = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, more = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        more.write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
        _openssl("req", *_new(made.key), "-subj", f"/CN={name}", "-out", request)
        signer = ("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial")
        _openssl(
            "x509",
            "-req",
            "-in",
            request,
            *signer,
            "-days",
            _DAYS,
            "-extfile",
            more,
            "-out",
            made.certificate,
        )
        return made

    def key_store(self, name: str) -> Path:
        """Key and certificate in one file, as a broker wants them."""
        made, both = self.pair(name), self._folder / f"{name}-store.pem"
        both.write_bytes(made.key.read_bytes() + made.certificate.read_bytes())
        return both


def _new(key: Path) -> tuple[str | Path, ...]:
    return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
