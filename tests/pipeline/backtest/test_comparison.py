from __future__ import annotations

from dataclasses import replace

from pipeline.backtest.comparison import compare
from pipeline.backtest.occurrences import Occurrence, OccurrenceCollector
from tests.pipeline.decided_items import make_camera_event, make_event

ONE = Occurrence("action", "fight", "gate", "run-a", 10.0, 12.0, 10.5, None, None, 0.8, "x", None)


def at(start_s: float, end_s: float, **changes: str) -> Occurrence:
    return replace(ONE, start_pts_s=start_s, end_pts_s=end_s, **changes)  # type: ignore[arg-type]


def test_what_overlaps_is_kept_and_the_rest_is_added_or_removed() -> None:
    others = [at(0, 2), at(10, 12), at(30, 31)]
    ours = [at(11, 20), at(40, 41)]
    comparison = compare(others, ours)
    assert comparison.kept == ((at(10, 12), at(11, 20)),)
    assert comparison.added == (at(40, 41),)
    assert comparison.removed == (at(0, 2), at(30, 31))


def test_each_is_paired_once() -> None:
    comparison = compare([at(10, 20)], [at(10, 12), at(15, 18)])
    assert [ours for _, ours in comparison.kept] == [at(10, 12)]
    assert comparison.added == (at(15, 18),)


def test_another_camera_rule_or_run_is_something_else() -> None:
    for changes in ({"camera_id": "yard"}, {"name": "fall"}, {"recording": "b"}, {"kind": "alarm"}):
        comparison = compare([at(10, 12)], [at(10, 12, **changes)])
        assert not comparison.kept
        assert len(comparison.added) == len(comparison.removed) == 1


def test_the_events_of_an_action_become_one_entry() -> None:
    collector = OccurrenceCollector("run-a")
    collector.add([make_camera_event(1), make_event(2, start_pts_s=1.0, end_pts_s=1.5)])
    collector.add([make_event(3, "update", peak_score=0.9, end_pts_s=3.0)])
    collector.add([make_event(4, "end", peak_score=0.95, end_pts_s=4.0, track_id=7)])
    [one] = collector.occurrences
    assert (one.kind, one.name, one.camera_id, one.who) == ("action", "walking", "gate", "person 7")
    assert (one.start_pts_s, one.decided_pts_s, one.end_pts_s, one.score) == (1.0, 1.5, 4.0, 0.95)
