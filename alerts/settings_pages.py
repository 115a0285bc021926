"""Settings of the incident pages: who may act there, and who may read."""

from __future__ import annotations

import re

from alerts.settings_routes import SECRET_CHARACTERS
from streams.errors import ConfigError
from streams.settings import Secret, Section
from streams.trust import networks

PROXIES = "pages.trusted_proxies"


class Pages(Section, frozen=True):
    """Without a token and without a proxy everybody who reaches the pages reads, and nobody acts."""

    token: Secret = Secret("")
    """What people sign in with, and programs show as a bearer token. Also as `token_file`."""
    user_header: str = ""
    """The header in which a proxy that authenticates names the user, such as X-Forwarded-User."""
    trusted_proxies: str = ""
    """Networks from which that header is believed, with commas."""
    sign_in_to_read: bool = False

    @property
    def act(self) -> bool:
        """Whether anybody may act."""
        return bool(self.token or self.user_header)


def check_pages(pages: Pages) -> None:
    """Refuses what would let nobody in, or anybody. Raises ConfigError."""
    if pages.token and len(pages.token.reveal()) < SECRET_CHARACTERS:
        raise ConfigError(
            f"pages.token has {len(pages.token.reveal())} characters: at least {SECRET_CHARACTERS}, as "
            "whoever guesses it acts on incidents"
        )
    if pages.user_header and not re.fullmatch(r"[A-Za-z0-9-]{1,100}", pages.user_header):
        raise ConfigError(
            f"pages.user_header = '{pages.user_header}': letters, digits and '-', such as X-Forwarded-User"
        )
    networks(pages.trusted_proxies, PROXIES)
    if bool(pages.user_header) is not bool(pages.trusted_proxies.strip()):
        raise ConfigError(
            "pages.user_header and pages.trusted_proxies belong together: who else sends that header must "
            "not be believed"
        )
    if pages.sign_in_to_read and not pages.act:
        raise ConfigError(
            "pages.sign_in_to_read is set, but nobody can sign in: set pages.token, or pages.user_header "
            "with pages.trusted_proxies"
        )
