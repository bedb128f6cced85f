"""From what was recognized to events: the stages that a run and a back-test have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence

from pipeline.stages.decisions import EventStamp, decide_actions
from pipeline.stages.subject_decider import DecisionPolicy
from pipeline.types import DecidedEnd, DecidedFrame, RecognizedFrame, StreamEnd


def decide_events(
    items: Iterable[RecognizedFrame | StreamEnd],
    labels: Sequence[str],
    policy: DecisionPolicy,
    stamp: EventStamp,
    now: Callable[[], float],
) -> Generator[DecidedFrame | DecidedEnd, None, None]:
    """Decide what happens; the events are unnumbered, see `number_events`.

    Nothing here needs a model, so that a back-test makes the very events of the run.

    Args:
        items: frames of any number of cameras, each camera's in order.
        labels: the classes of a prediction that does not name its own, in the order of its scores.
        policy: thresholds, durations, smoothing.
        stamp: fields that all events of the run share.
        now: Unix seconds, for the latency of an event.

    Yields:
        One item per item, in order.
    """
    return decide_actions(items, labels, policy, stamp, now)
