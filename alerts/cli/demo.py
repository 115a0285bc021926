"""`carrier-health demo`: real Kafka, a simulated network, an incident that is found, paged, resolved."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from alerts.demo.faults import FAULTS
from streams.errors import ConfigError, MonitorError


@click.command()
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Seconds of traffic, on the demonstration's clock; without it until Ctrl-C.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0.1, max=20),
    default=1.0,
    show_default=True,
    metavar="N",
    help="How many times as fast as life; the clock begins in the past and reaches now.",
)
@click.option("--once", is_flag=True, help="End when every labelled incident has opened, paged and resolved.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line (see alerts/demo/events.py).")
@click.option("--seed", type=click.IntRange(min=0), help="Another stream of the same scenario.")
@click.option(
    "--scenario",
    "name",
    default="demo",
    show_default=True,
    metavar="FILE|NAME",
    help="A TOML file or a built-in: demo, twilio-plain, twilio-global.",
)
@click.option(
    "--fault",
    type=click.Choice(list(FAULTS)),
    help="10 s into the incident: SIGKILL, and what was killed is started again; or a pager that is down "
    "for 60 s. The page still comes, once.",
)
@click.option(
    "--record",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Keeps there what `carrier-health replay` needs: records, what was known before, the incidents.",
)
def demo(
    seconds: float | None,
    speed: float,
    once: bool,
    as_json: bool,
    seed: int | None,
    name: str,
    fault: str | None,
    folder: Path | None,
) -> None:
    """Starts Apache Kafka, Valkey, a pager and all roles, and streams a network with an incident.

    Nothing has to be installed or configured: Kafka is downloaded once, data lives in a temporary
    directory, everything is cleared away at the end. Lines marked TRUTH come from the simulator's
    ledger, which the monitor never sees.

    With --once the exit code is 0 once the incident has opened, paged and resolved, and 1 with the
    reason when that takes more than 6 minutes of traffic.
    """
    from alerts.demo.events import Teller
    from alerts.demo.play import play
    from alerts.demo.recording import Recording
    from alerts.demo.traffic import Options
    from streams.embedded import EmbeddedError
    from streams.simulate import scenario as scenarios

    scenario = scenarios.load(name)
    used = scenario.seed if seed is None else seed
    recording = Recording(folder) if folder is not None else None
    options = Options(scenario, used, speed, seconds, once, fault, recording)
    _refuse_what_can_not_end(options.once, options.span_s, [i.at_s for i in scenario.incidents], fault)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        outcome = play(options, Teller(as_json))
    except KeyboardInterrupt:
        raise click.ClickException("interrupted while it was starting") from None
    except (EmbeddedError, MonitorError) as e:
        raise click.ClickException(str(e)) from None
    sys.exit(0 if outcome.ok else 1)


def _refuse_what_can_not_end(once: bool, span_s: float, onsets_s: list[float], fault: str | None) -> None:
    """Raises ConfigError for a scenario whose incidents can not be what is asked for."""
    if (once or fault) and not onsets_s:
        raise ConfigError("the scenario has no incident: --once and --fault need one")
    if once and max(onsets_s) >= span_s:
        raise ConfigError(
            f"--once ends after {span_s:g} s of traffic, the scenario's last incident begins at "
            f"{max(onsets_s):g} s: choose another scenario or leave --once out"
        )
