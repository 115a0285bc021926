"""What senders are told, wired to the station of the same process: advice on messages, and holds."""

from __future__ import annotations

from alerts.advice.adviser import Adviser
from alerts.advice.held import Latest
from alerts.advice.holds import Holds, publisher
from alerts.advice.live import LiveAdvice
from alerts.advice.rules import Policy
from alerts.recipients.stage import RecipientStage
from alerts.records import Incident
from alerts.settings import Settings
from alerts.station import Station
from streams.codes import CodeBook
from streams.http import Readiness
from streams.metrics import Metrics
from streams.permanence import Permanence
from streams.rules import RuleBook


def recipient_stage(
    settings: Settings, station: Station, metrics: Metrics, readiness: Readiness
) -> RecipientStage:
    """Follows recipients once the station is the one that decides, and advises on what fails."""
    permanence = Permanence(settings.sources, CodeBook(settings.code_tables))
    adviser = Adviser(Policy.of(settings.advice), permanence, metrics)

    def shown() -> tuple[tuple[Incident, ...], int]:
        board = station.board
        return board.incidents, board.bucket_s

    advice = LiveAdvice(adviser, Latest(shown, _book(settings)), lambda: station.owns)
    stage = RecipientStage(settings, metrics, readiness, advice)
    station.on_restored = stage.start
    return stage


def holds_of(settings: Settings, station: Station) -> Holds:
    """Hears of the station's incidents; `run` tells of them beside everything else."""
    holds = Holds(_book(settings), publisher(settings))
    station.on_known = holds.hear
    return holds


def _book(settings: Settings) -> RuleBook:
    return RuleBook.of(settings.rules, settings.sources, settings.code_tables)
