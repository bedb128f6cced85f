"""Run decisions and rules over the observations of a run: the events that it would have given."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import tee

from models.slowfast.default_decision import DefaultDecision
from pipeline.camera_settings import CameraSettings, KnownActions
from pipeline.config.schema import PipelineConfig
from pipeline.errors import SourceError
from pipeline.event_chain import decide_events
from pipeline.events import ActionEvent, AlarmEvent, Event
from pipeline.observations.reader import ObservationReader, RecordedObservations
from pipeline.observations.recorded_run import NumberedItem, RecordedRun
from pipeline.stages.decisions import EventStamp
from pipeline.stages.numbering import number_events
from pipeline.types import DecidedEnd, DecidedFrame, Frame, RecognizedFrame, StreamEnd

Decided = DecidedFrame | DecidedEnd
LONGEST_STEP_S = 2.0  # a longer step between two frames is time in which nothing was seen


@dataclass(slots=True)
class SeenTime:
    """How long a camera was seen in one run, as far as its frames tell."""

    frames: int = 0
    seconds: float = 0.0  # without gaps
    first: Frame | None = None
    newest: Frame | None = None
    _is_up: bool = field(default=False)

    def add(self, item: RecognizedFrame | StreamEnd) -> None:
        """Count the time since the frame before; not over a gap or an end."""
        if isinstance(item, StreamEnd):
            self._is_up = False
            return
        frame = item.tracked.frame
        if self._is_up and self.newest is not None:
            step_s = frame.pts_s - self.newest.pts_s
            self.seconds += step_s if 0 < step_s <= LONGEST_STEP_S else 0.0
        self._is_up = True
        self.first, self.newest = self.first or frame, frame
        self.frames += 1


def settings_for(run: RecordedRun, config: PipelineConfig) -> CameraSettings:
    """Return the thresholds and rules of a configuration for the recognizers of a run.

    Raises:
        ConfigError: if the configuration names a label that they did not have.
        SourceError: if the run's description cannot be used.
    """
    defaults = None
    if run.default_decision is not None:
        try:
            defaults = DefaultDecision.from_json(run.default_decision)
        except ValueError as error:
            raise SourceError(f"the description of the run {run.run_id}: {error}") from error
    known = KnownActions(run.labels, frozenset(run.group_actions), run.fresh_s, defaults)
    return CameraSettings(config, known)


def back_test(
    reader: ObservationReader,
    recording: RecordedObservations,
    configs: Sequence[PipelineConfig],
    *,
    wall_clock: bool,
    seen: dict[str, SeenTime] | None = None,
) -> Iterator[tuple[Decided, ...]]:
    """Decide over a run's observations under one or several configurations.

    The stages are those of the run, and so are the events: the same ids, numbers and times.
    `latency_ms` is empty, because nothing was late.

    Args:
        reader: of the files.
        recording: one of its recordings.
        configs: each is applied to the same items.
        wall_clock: whether events have times of day.
        seen: gets how long each camera was seen.

    Yields:
        For every item of the run, in order, what each configuration makes of it.

    Raises:
        ConfigError: if a configuration does not go with the run.
    """
    run = recording.run
    settings = [settings_for(run, config) for config in configs]  # mistakes before anything is read
    stamp = EventStamp(run.run_id, run.model, wall_clock)
    items = _observed(reader.items(recording), {} if seen is None else seen)
    chains = [
        number_events(
            _timeless(decide_events(each, run.labels, one, stamp, time.time, live=run.live))
        )
        for each, one in zip(tee(items, len(configs)), settings, strict=True)
    ]
    return zip(*chains, strict=True)


def _timeless(items: Iterable[Decided]) -> Iterator[Decided]:
    """Empty the latencies of all events: what is decided again has none."""
    for item in items:
        if not item.events:
            yield item
            continue
        yield replace(item, events=tuple(map(_without_latency, item.events)))


def _without_latency(event: Event) -> Event:
    if not isinstance(event, ActionEvent | AlarmEvent):
        return event
    return event.model_copy(update={"latency_ms": {}})


def _observed(
    items: Iterator[NumberedItem], seen: dict[str, SeenTime]
) -> Iterator[RecognizedFrame | StreamEnd]:
    for one in items:
        seen.setdefault(one.camera_id, SeenTime()).add(one.item)
        yield one.item
