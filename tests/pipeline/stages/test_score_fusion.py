"""Scores of several recognizers for one label."""

from __future__ import annotations

import pytest

from pipeline.stages.score_fusion import ScoreFusion


def test_a_label_of_two_recognizers_has_the_mean_of_their_newest_scores() -> None:
    fusion = ScoreFusion(fresh_s=1.0)
    fusion.add(0, 5.0, {"fight": 0.2, "walk": 0.8})
    fusion.add(0, 5.5, {"fight": 0.4, "walk": 0.6})
    fusion.add(1, 6.0, {"fight": 0.8, "fall": 0.1})
    assert fusion.scores(("fight", "fall"), 6.0) == pytest.approx({"fight": 0.6, "fall": 0.1})


def test_a_score_of_another_moment_does_not_count() -> None:
    fusion = ScoreFusion(fresh_s=1.0)
    fusion.add(0, 5.0, {"fight": 0.0})
    fusion.add(1, 6.5, {"fight": 0.8})
    assert fusion.scores(("fight",), 6.5) == {"fight": 0.8}


def test_one_recognizer_alone_keeps_its_scores_to_the_bit() -> None:
    fusion = ScoreFusion(fresh_s=0.0)
    fusion.add(0, 0.1, {"walk": 0.1 + 0.2})
    assert fusion.scores(("walk",), 0.1) == {"walk": 0.1 + 0.2}
