"""The plot of docs/detection.md is a run of the detector, not a drawing of what it should do."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.bench.detection import story
from tests.bench.detection.story import OUTAGE_S, Story


@pytest.fixture(scope="module")
def played() -> Story:
    return story.play(7, learn_s=12 * 3600)


def test_the_outage_opens_while_it_lasts_and_resolves_after_it(played: Story) -> None:
    assert 0 < played.opened_s < OUTAGE_S < played.resolved_s


def test_evidence_passes_the_threshold_by_the_time_it_opens_and_not_before_it_began(played: Story) -> None:
    before = [m for m in played.moments if m.at_s <= 0]
    by_then = [m for m in played.moments if 0 < m.at_s <= played.opened_s]
    assert before and all(m.evidence < m.threshold for m in before)
    assert max(m.evidence for m in by_then) >= by_then[0].threshold


def test_the_plot_is_well_formed_and_says_when_it_opened(played: Story) -> None:
    drawn = ElementTree.fromstring(story.svg(played))
    words = " ".join(node.text or "" for node in drawn.iter() if node.tag.endswith("text"))
    assert f"opened after {played.opened_s:.0f} s" in words
