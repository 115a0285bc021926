"""The part of the list of metrics that is about recipients."""

from __future__ import annotations

from streams.exposition import counter, gauge
from streams.label_values import Ignored

_ALERTS = ("alerts",)


class RecipientMetrics:
    """How the list of recipients does; the owner's among the alerts roles."""

    # Whom messages do not reach
    recipients_listed = gauge(_ALERTS, "Recipients on the list; 0 of a standby.")
    recipients_entered_total = counter(_ALERTS, "Recipients that came to the list.")
    recipients_tracked = gauge(
        _ALERTS, "Recipients, by kind of failures, of whom a run is kept; 0 of a standby."
    )
    recipients_pruned_total = counter(_ALERTS, "Runs let go of, 8 days after their newest failure.")
    recipients_refused_total = counter(
        _ALERTS, "Failures of recipients that `recipients.max_tracked` left no room for."
    )
    recipients_ignored_total = counter(
        _ALERTS,
        "Records about recipients that could not be used; other_key: hashed with a key of another time.",
        "reason",
        reason=Ignored,
    )
    recipients_lag_records = gauge(_ALERTS, "Records about recipients not taken yet; 0 of a standby.")
    recipients_rebuilding = gauge(
        _ALERTS, "1 while the list is not whole: built anew from the topics, or Redis or Kafka is away."
    )
    recipients_growing_campaigns = gauge(
        _ALERTS, "Senders and traffic classes that put far more recipients on the list than they used to."
    )
