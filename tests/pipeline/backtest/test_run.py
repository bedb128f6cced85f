from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.slowfast.default_decision import DefaultDecision, LabelDecision
from pipeline.backtest.run import SeenTime, back_test, settings_for
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError
from pipeline.event_chain import decide_events
from pipeline.events import AlarmEvent, Event, encode_event
from pipeline.observations.keeping import (
    ObservationQueue,
    keep_observations,
    write_observations,
)
from pipeline.observations.reader import (
    ObservationReader,
    ObservationSelection,
    find_files,
)
from pipeline.observations.recorded_run import RecordedRun
from pipeline.observations.retention import ObservationLimits
from pipeline.observations.writer import ObservationWriter
from pipeline.stages.decisions import EventStamp
from pipeline.stages.numbering import number_events
from pipeline.types import DecidedEnd, DecidedFrame, RecognizedFrame, StreamEnd
from tests.pipeline.observations.made_items import made_items, make_recognized, make_run

CONFIG = load_config(
    settings=[
        "decision.start_threshold=0.5",
        "decision.end_threshold=0.4",
        "decision.min_duration_s=0.2",
        "decision.smoothing_s=0.4",
        "rules={fights: {action: fight, schedule: [evening]}, crowd: {more_than: 2, for_s: 0.2},"
        " inside: {person: enters, zone: left, max_per_hour: 3}}",
        "schedules={evening: {timezone: UTC, times: ['13:00-14:00']}}",
        "cameras={yard: {zones: {left: {points: [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}}}}",
    ]
)
WEIGHTS = DefaultDecision(
    labels={"fall": LabelDecision(start_threshold=0.7, end_threshold=0.3)}
).to_json()


def run(
    items: list[RecognizedFrame | StreamEnd], folder: Path, described: RecordedRun
) -> list[Event]:
    """Decide as a run does, while its observations are kept."""
    limits = ObservationLimits(flush_s=30.0, max_age_s=1e9, max_bytes=10**9)
    queue = ObservationQueue(waits=True, capacity=10**6)
    kept = keep_observations(items, queue)
    stamp = EventStamp(described.run_id, described.model, described.wall_clock)
    settings = settings_for(described, CONFIG)
    now, live = (lambda: 1_790_000_000.0), described.live
    decided = decide_events(kept, described.labels, settings, stamp, now, live=live)
    events = [event for item in number_events(decided) for event in item.events]
    write_observations(queue, ObservationWriter(folder, described, limits, tolerant=False))
    return events


def decided_again(
    folder: Path, *configs: PipelineConfig, wall_clock: bool = False, **selected: Any
) -> Iterator[tuple[DecidedFrame | DecidedEnd, ...]]:
    reader = ObservationReader(find_files([str(folder)]), ObservationSelection(**selected))
    for recording in reader.recordings:
        yield from back_test(reader, recording, configs or (CONFIG,), wall_clock=wall_clock)
    assert not reader.errors


def events_of(items: Iterator[tuple[DecidedFrame | DecidedEnd, ...]]) -> list[Event]:
    return [event for [item] in items for event in item.events]


def ended(items: list[RecognizedFrame | StreamEnd]) -> list[RecognizedFrame | StreamEnd]:
    """The made run, in which every camera ends by itself."""
    return [*items, StreamEnd("camera 0/é")]


@pytest.mark.parametrize("default_decision", [None, WEIGHTS])
def test_a_back_test_with_the_config_of_a_run_gives_its_events_byte_for_byte(
    tmp_path: Path, default_decision: str | None
) -> None:
    # Three cameras, one of which reconnects; two recognizers, groups, ids that were handed over,
    # and a full hour in the middle.
    described = make_run(wall_clock=False, default_decision=default_decision)
    items = ended([one.item for one in made_items(frames=300)])
    events = run(items, tmp_path, described)
    kinds = {event.kind for event in events}
    assert {"start", "update", "end", "camera_up", "camera_down"} <= kinds
    assert any(getattr(event, "members", ()) for event in events)
    rules = {event.rule for event in events if isinstance(event, AlarmEvent)}
    assert rules == {"fights", "crowd", "inside"}
    found = events_of(decided_again(tmp_path))
    assert list(map(encode_event, found)) == list(map(encode_event, events))


def test_with_a_wall_clock_all_but_the_latency_is_the_same(tmp_path: Path) -> None:
    events = run(ended([one.item for one in made_items(2, 60)]), tmp_path, make_run())
    found = events_of(decided_again(tmp_path, wall_clock=True))
    timeless = [
        event.model_copy(update={"latency_ms": {}} if hasattr(event, "latency_ms") else {})
        for event in events
    ]
    assert any(getattr(event, "latency_ms", {}) for event in events)
    assert list(map(encode_event, found)) == list(map(encode_event, timeless))


def test_several_configurations_see_the_same_items(tmp_path: Path) -> None:
    run(ended([one.item for one in made_items(1, 60)]), tmp_path, make_run())
    strict = load_config(settings=["decision.start_threshold=1.0", "decision.end_threshold=1.0"])
    both = list(decided_again(tmp_path, CONFIG, strict))
    ours = [event for mine, _ in both for event in mine.events]
    theirs = [event for _, other in both for event in other.events]
    assert {event.kind for event in theirs} == {"camera_up", "camera_down"}
    assert ours == events_of(decided_again(tmp_path))


def test_the_thresholds_of_the_weights_count_as_in_the_run() -> None:
    policy = settings_for(make_run(default_decision=WEIGHTS), PipelineConfig()).policy_of("gate")
    assert (policy.rules["fall"].start_threshold, policy.rules["walk"].start_threshold) == (
        0.7,
        0.6,
    )
    assert (policy.group_actions, policy.fresh_s) == (frozenset({"fight"}), 1.0)


def test_a_label_that_the_run_did_not_have_is_named_before_anything_is_read(
    tmp_path: Path,
) -> None:
    run([make_recognized(), StreamEnd("gate")], tmp_path, make_run())
    wrong = load_config(settings=["decision.per_action={figth: {start_threshold: 0.9}}"])
    with pytest.raises(ConfigError, match=r"figth.*did you mean fight"):
        list(decided_again(tmp_path, wrong))


def test_the_seen_time_leaves_out_gaps_and_reconnects() -> None:
    seen = SeenTime()
    for pts_s in (0.0, 1.0, 100.0, 101.0):
        seen.add(make_recognized(pts_s=pts_s))
    seen.add(StreamEnd("gate", "disconnected", None, 1.0))
    seen.add(make_recognized(pts_s=101.5))
    assert (seen.seconds, seen.frames) == (2.0, 5)


def test_scores_are_decided_with_their_float32_values(tmp_path: Path) -> None:
    # 0.6 in float32 is above 0.6 in float64: a copy that is rounded would start later.
    items = [one.item for one in made_items(1, 30)]
    frames = [one for one in items if isinstance(one, RecognizedFrame) and one.predictions]
    scores = np.full(2, np.float32(0.5))
    exact = [
        replace(one, predictions=(replace(one.predictions[0], scores=scores),)) for one in frames
    ]
    events = run(ended(list(exact)), tmp_path, make_run(wall_clock=False))
    assert events_of(decided_again(tmp_path)) == events
    assert any(event.kind == "start" for event in events)
