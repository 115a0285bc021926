"""`carrier-health init`: a configuration to begin with."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

KEY_NAME = "recipient.key"
KEY_BYTES = 32

TEMPLATE = """\
# carrier-health.toml: every key is in docs/settings.md, `carrier-health doctor --print-config` shows
# what is in force. Keys are also environment variables: CARRIER_HEALTH_KAFKA__BOOTSTRAP_SERVERS.

[kafka]
bootstrap_servers = "127.0.0.1:9092"    # host:port, several with commas
replication_factor = 1                  # 3 in production
# security_protocol = "SASL_SSL"        # TLS, names and passwords: docs/deploy.md

[redis]
url = "redis://127.0.0.1:6379/0"        # or a server that speaks Redis; nothing is lost with it

[privacy]
recipient_key_file = {key_file}    # numbers are kept as hashes with this key alone: keep it

# Each record says its source in the Kafka header `source`; docs/formats.md has every format.
[[sources]]
name = "twilio"
format = "twilio-status-callback"
region = "US"                           # where neither the record nor the number says

[[sources]]
name = "smpp-east"
format = "smpp-receipt"
codes = "twilio-smpp"                   # or twilio-smpp-2025: they differ, see docs/formats.md
carrier = "310-260"                     # this connection reaches one carrier; leave out otherwise

[alerting]
mode = "observe"                        # pages nobody, lists what would be sent; then "page"
public_url = "https://sms.example.org"  # where people reach the incident pages

[pagerduty]
# The integration key of an Events API v2 integration, in a file of its own. "page" needs it.
# routing_key_file = "pagerduty.key"
# What people do at PagerDuty, told to the gateway: docs/gateway.md.
# webhook_secret_file = "pagerduty-webhook.secret"
"""

NEXT_STEPS = """\
Next:
  1. Look through {path}: addresses, sources, alerting.public_url.
  2. export CARRIER_HEALTH_CONFIG={path}
  3. carrier-health topics --apply     makes the topics
  4. carrier-health doctor             checks everything, says what to do
  5. carrier-health run                all roles on this machine
  6. Write records to carrier-health.outcomes (README, "Feeding it"); try one before:
     carrier-health decode --source twilio FILE
Once you like what it finds: routing_key_file, alerting.mode = "page", and
`carrier-health doctor --test-page`."""


@click.command()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="carrier-health.toml",
    show_default=True,
    metavar="PATH",
    help="Where it goes; - prints it and writes nothing.",
)
@click.option("--force", is_flag=True, help="Overwrites the configuration; a recipient key never.")
def init(output: Path, force: bool) -> None:
    """Write a commented configuration for one Twilio and one SMPP source.

    Beside it goes recipient.key, a new random key for the hashes of phone numbers, which only you
    may read. One that is there already is kept: every hash depends on it.
    """
    if str(output) == "-":
        click.echo(configuration(KEY_NAME), nl=False)
        click.echo(f"{KEY_NAME} must hold 32 random characters or more: openssl rand -hex 32", err=True)
        return
    if output.exists() and not force:
        raise click.ClickException(f"{output} exists: --force overwrites it, --output writes elsewhere")
    key = output.parent / KEY_NAME
    try:
        made = _make_key(key)
        output.write_text(configuration(str(key)), encoding="utf-8")
    except OSError as e:
        raise click.ClickException(f"{e.filename}: {e.strerror}") from None
    click.echo(f"{output} written; {key} {'written, readable by you alone' if made else 'was there: kept'}.")
    click.echo(NEXT_STEPS.format(path=output))


def configuration(key_file: str) -> str:
    """The text of the configuration; `key_file` is where the recipient key is."""
    return TEMPLATE.format(key_file=_quoted(key_file))


def _quoted(text: str) -> str:
    """As a TOML string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _make_key(path: Path) -> bool:
    """Whether there was none; readable by its owner alone from the first moment on."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(file, "w") as out:
        out.write(secrets.token_hex(KEY_BYTES) + "\n")
    return True
