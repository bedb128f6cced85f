"""From what was recognized to events: the stages that a run and a back-test have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from pipeline.camera_settings import CameraSettings
from pipeline.rules.stage import AlarmStamp, apply_rules
from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.types import DecidedEnd, DecidedFrame, Frame, RecognizedFrame, StreamEnd


def decide_events(
    items: Iterable[RecognizedFrame | StreamEnd],
    labels: Sequence[str],
    settings: CameraSettings,
    stamp: EventStamp,
    now: Callable[[], float],
    *,
    live: bool,
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Decide what happens; the events are unnumbered, see `number_events`.

    Nothing here needs a model, so that a back-test makes the very events of the run.

    Args:
        items: frames of any number of cameras, each camera's in order.
        labels: the classes of a prediction that does not name its own, in the order of its scores.
        settings: thresholds, zones, lines and rules of each camera; they may change in between.
        stamp: fields that all events of the run share.
        now: Unix seconds, for the latency of an event.
        live: the frames were seen when they were captured; else when they were recorded, as far
            as that is known.

    Yields:
        One item per item, in order.
    """
    decided = decide_actions(items, labels, settings.policy_of, stamp, now)
    seen_at = _seen_at if live else _recorded_at
    alarms = AlarmStamp(stamp.run_id, stamp.wall_clock, now, seen_at)
    return apply_rules(decided, settings.rules_of, alarms)


def _seen_at(frame: Frame) -> float | None:
    return frame.seen_at


def _recorded_at(frame: Frame) -> float | None:
    return frame.recorded_at
