"""Measure how well lost people are found again: injected switches, and trackers against truth.

python -m benchmarks.reattachment --gt PETS09-S2L1/gt/gt.txt --video pets09_s2l1.avi --from 560
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.optimize import linear_sum_assignment

from models.boxes import FloatArray, clip_to_image, has_area, iou_matrix
from models.detectors.appearance import AppearanceEncoder, appearance_encoder
from pipeline.components import build_detector, choose_device
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.config.shipped_files import PROJECT
from pipeline.sources.file_decoder import VideoReader
from pipeline.stages.detection import detect_people
from pipeline.stages.reattachment import ReattachSpec, reattach_tracks
from pipeline.tracker_parts import reattach_spec, tracker_factory
from pipeline.types import DetectedFrame, Frame, TrackedFrame, TrackedPerson
from training.labels.mot_files import LabelledBoxes, by_frame, read_mot
from training.metrics.tracking import MATCH_IOU, score_tracks

TRACKERS = {
    "deepsort, mobilenet": ["tracker.name=deepsort", "tracker.appearance=mobilenet"],
    "deepsort, compact": ["tracker.name=deepsort", "tracker.appearance=compact"],
    "bytetrack": ["tracker.name=bytetrack"],
    "botsort": ["tracker.name=botsort"],
}
APPEARANCES = ("mobilenet", "compact")
GAPS_S = (0.0, 0.2, 0.5, 1.0, 1.5, 1.9)
LEAST_FOLLOWED_S = 0.4  # an id that follows a person for less makes no event
AROUND_S = 1.0  # of a switch, in which the truth of both tracks is asked
BOX_NOISE = 0.04  # standard deviation of the true boxes' corners, body lengths
OTHER_AFTER_S = 2.0
OFF = ReattachSpec(reattach_s=0.0)
Truth = dict[int, LabelledBoxes]


@dataclass(slots=True)
class Recorded:
    """What one pass over the video gives; images are dropped."""

    tracked: dict[str, list[TrackedFrame]] = field(default_factory=lambda: defaultdict(list))
    true_people: dict[str, list[TrackedFrame]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True, slots=True)
class Injected:
    """Tracks of true people with switches, and whose track each id is."""

    frames: list[TrackedFrame]
    person_of: dict[int, int]
    switches: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tracks compared with the truth."""

    events_per_action: float
    swapped: float  # part of the above: ids that followed another person before
    idf1: float
    id_switches: int


def main(
    gt: Annotated[Path, typer.Option(help="Ground truth in MOTChallenge format.", exists=True)],
    video: Annotated[Path, typer.Option(help="The video of the ground truth.", exists=True)],
    first: Annotated[int, typer.Option("--from", help="First frame that counts.")] = 0,
    last: Annotated[int, typer.Option("--to", help="First frame that does not.")] = 10**9,
    seeds: Annotated[int, typer.Option(help="Times that every person's track is cut.")] = 10,
    detector: Annotated[str, typer.Option(help="Weights of the detector.")] = "compact",
) -> None:
    """Print both tables."""
    console = Console(width=120)
    configs = {
        name: load_config(None, [f"detector.weights={detector}", *settings])
        for name, settings in TRACKERS.items()
    }
    truth = read_mot(gt)
    recorded = _record(video, truth, configs, first, last)
    console.print(_injected_table(recorded, configs, seeds))
    truth = {n: boxes for n, boxes in truth.items() if first < n <= last}
    console.print(_trackers_table(recorded, configs, truth, detector))


def _record(
    video: Path, truth: Truth, configs: dict[str, PipelineConfig], first: int, last: int
) -> Recorded:
    """Track a video with every tracker, and encode the true people, in one pass."""
    device = choose_device("auto")
    detector = build_detector(next(iter(configs.values())).detector, PROJECT, device)
    trackers = {name: tracker_factory(c.tracker, device)() for name, c in configs.items()}
    encoders = {
        name: appearance_encoder(name, mobilenet_wh=(96, 192), device=device)
        for name in APPEARANCES
    }
    recorded = Recorded()
    frames = (frame for frame in _frames(video) if frame.index < last)
    for item in detect_people(([frame] for frame in frames), detector, time.time):
        assert isinstance(item, DetectedFrame)
        counts = item.frame.index >= first
        for name, tracker in trackers.items():
            people, ended = tracker.update(item.frame, item.detections)
            tracked = TrackedFrame(item.frame, people, ended, 0.0, 0.0)
            if counts:
                recorded.tracked[name].append(_without_pixels(tracked))
        for name, encoder in encoders.items() if counts else ():
            recorded.true_people[name].append(_true_people(item.frame, truth, encoder))
    return recorded


def _frames(video: Path) -> Iterator[Frame]:
    with closing(VideoReader(video)) as reader:
        for index, decoded in track(enumerate(reader.frames()), "frames", total=reader.info.frames):
            yield Frame(video.stem, index, decoded.pts_s, 0.0, decoded.image, 0.0)


def _without_pixels(item: TrackedFrame) -> TrackedFrame:
    return replace(item, frame=item.frame.without_pixels())


def _true_people(frame: Frame, truth: Truth, encoder: AppearanceEncoder) -> TrackedFrame:
    people: tuple[TrackedPerson, ...] = ()
    if (boxes := truth.get(frame.index + 1)) is not None:
        boxes = boxes[boxes.counts]
        xyxy = clip_to_image(boxes.xyxy, *frame.wh)
        seen = has_area(xyxy)
        features = encoder.encode(frame.image, xyxy[seen])
        rows = zip(boxes.ids[seen].tolist(), xyxy[seen], features, strict=True)
        people = tuple(TrackedPerson(n, box, 1.0, feature=feature) for n, box, feature in rows)
    return _without_pixels(TrackedFrame(frame, people, (), 0.0, 0.0))


def inject_switches(items: Sequence[TrackedFrame], gap_s: float, seed: int) -> Injected:
    """Cut every person's track once, at a random time, and hide the person for a while.

    A person who is not seen for `OTHER_AFTER_S` in the truth is not expected to be found again.
    """
    draw = np.random.default_rng(seed)
    times: dict[int, list[float]] = defaultdict(list)
    for item in items:
        for one in item.people:
            times[one.track_id].append(item.frame.pts_s)
    cuts = {
        person: draw.uniform(seen[0] + 1.0, seen[-1] - gap_s)
        for person, seen in times.items()
        if seen[-1] - seen[0] > 1.0 + gap_s
    }
    tracks = _CutTracks(cuts, gap_s)
    frames = []
    for item in items:
        named = [(one, tracks.id_of(one.track_id, item.frame.pts_s)) for one in item.people]
        people = [
            replace(one, track_id=track_id, xyxy=_noisy(one.xyxy, draw))
            for one, track_id in named
            if track_id is not None
        ]
        people.sort(key=lambda one: one.track_id)
        frames.append(replace(item, people=tuple(people)))
    return Injected(frames, tracks.person_of, tracks.switches)


def _noisy(xyxy: FloatArray, draw: np.random.Generator) -> FloatArray:
    noise = draw.normal(0, BOX_NOISE * float((xyxy[2:] - xyxy[:2]).max()), 4)
    return np.asarray(xyxy + noise, np.float32)


@dataclass(slots=True)
class _CutTracks:
    """The ids of true people of whom each loses the track once."""

    cuts: dict[int, float]  # pts_s, by person
    gap_s: float
    person_of: dict[int, int] = field(default_factory=dict)
    switches: int = 0
    _ids: dict[int, int] = field(default_factory=dict)
    _seen_s: dict[int, float] = field(default_factory=dict)

    def id_of(self, person: int, pts_s: float) -> int | None:
        """Return the id of a person who is seen in the truth; None: the tracker has lost them."""
        is_other = pts_s - self._seen_s.get(person, pts_s) > OTHER_AFTER_S
        self._seen_s[person] = pts_s
        if is_other:
            self._ids.pop(person, None)
        cut_s = self.cuts.get(person, np.inf)
        if cut_s <= pts_s < cut_s + self.gap_s:
            return None
        if pts_s >= cut_s + self.gap_s:
            del self.cuts[person]
            self.switches += self._ids.pop(person, None) is not None
        if person not in self._ids:
            self._ids[person] = len(self.person_of) + 1
            self.person_of[self._ids[person]] = person
        return self._ids[person]


def _injected_table(recorded: Recorded, configs: dict[str, PipelineConfig], seeds: int) -> Table:
    table = Table("appearance", title="injected switches, one per person; true boxes with noise")
    for heading in ("hidden", "switches", "handed over", "wrongly", "events per action"):
        table.add_column(heading, justify="right")
    specs = {name: reattach_spec(configs[f"deepsort, {name}"].tracker) for name in APPEARANCES} | {
        "none": reattach_spec(configs["bytetrack"].tracker)
    }
    for name, spec in specs.items():
        for gap_s in GAPS_S:
            switches = right = wrong = 0
            for seed in range(seeds):
                items = recorded.true_people[APPEARANCES[0] if name == "none" else name]
                injected = inject_switches(items, gap_s, seed)
                made = injected.frames if name != "none" else _without_features(injected.frames)
                for before, after in _handed_over(list(_people(made, spec))):
                    same = injected.person_of[before] == injected.person_of[after]
                    right, wrong = right + same, wrong + (not same)
                switches += injected.switches
            if not switches:  # the recording is too short for such a gap
                continue
            row = (f"{gap_s:.1f} s", switches, f"{right / switches:.1%}", wrong)
            table.add_row(name, *map(str, row), f"2.00 -> {2 - right / switches:.2f}")
    return table


def _without_features(items: Sequence[TrackedFrame]) -> list[TrackedFrame]:
    return [
        replace(item, people=tuple(replace(one, feature=None) for one in item.people))
        for item in items
    ]


def _people(items: Sequence[TrackedFrame], spec: ReattachSpec) -> Iterator[TrackedFrame]:
    for item in reattach_tracks(items, spec):
        assert isinstance(item, TrackedFrame)
        yield item


def _handed_over(items: Sequence[TrackedFrame]) -> list[tuple[int, int]]:
    """Return pairs of an id and the next one of the same person."""
    chains = {one.track_id: one.track_ids for item in items for one in item.people}
    return [pair for ids in chains.values() for pair in pairwise(ids)]


def _trackers_table(
    recorded: Recorded, configs: dict[str, PipelineConfig], truth: Truth, detector: str
) -> Table:
    table = Table("tracker", title=f"trackers on boxes of {detector}: before -> after")
    for heading in (
        "events per action",
        "of them swaps",
        "handed over",
        "wrongly",
        "unclear",
        "IDF1",
        "id switches",
    ):
        table.add_column(heading, justify="right")
    for name, items in recorded.tracked.items():
        before, people = (
            list(_people(items, OFF)),
            list(_people(items, reattach_spec(configs[name].tracker))),
        )
        pairs = _handed_over(people)
        verdicts = Counter(_verdict(pair, before, truth) for pair in pairs)
        old, new = _outcome(before, truth), _outcome(people, truth)
        table.add_row(
            name,
            f"{old.events_per_action:.2f} -> {new.events_per_action:.2f}",
            f"{old.swapped:.2f} -> {new.swapped:.2f}",
            str(len(pairs)),
            str(verdicts["wrong"]),
            str(verdicts["unclear"]),
            f"{old.idf1:.3f} -> {new.idf1:.3f}",
            f"{old.id_switches} -> {new.id_switches}",
        )
    return table


def _followed(items: Sequence[TrackedFrame], truth: Truth) -> Iterator[tuple[float, int, int]]:
    """Yield time, true person and track id of every box that covers a person."""
    for item in items:
        boxes = truth.get(item.frame.index + 1)
        if boxes is None or not item.people:
            continue
        boxes = boxes[boxes.counts]
        iou = iou_matrix(boxes.xyxy, np.stack([one.xyxy for one in item.people]))
        for row, column in zip(
            *linear_sum_assignment(-np.where(iou >= MATCH_IOU, iou, 0)), strict=True
        ):
            if iou[row, column] >= MATCH_IOU:
                yield item.frame.pts_s, int(boxes.ids[row]), item.people[column].track_id


def _outcome(items: Sequence[TrackedFrame], truth: Truth) -> Outcome:
    step_s = float(np.median(np.diff([item.frame.pts_s for item in items])))
    frames = Counter((person, track_id) for _, person, track_id in _followed(items, truth))
    ids: dict[int, list[int]] = defaultdict(list)
    first_person: dict[int, int] = {}
    swaps = 0
    for person, track_id in frames:  # in the order of time
        if frames[person, track_id] * step_s >= LEAST_FOLLOWED_S:
            ids[person].append(track_id)
            swaps += first_person.setdefault(track_id, person) != person
    score = score_tracks(truth, _mot(items))
    return Outcome(
        sum(map(len, ids.values())) / len(ids), swaps / len(ids), score.idf1, score.id_switches
    )


def _mot(items: Sequence[TrackedFrame]) -> Truth:
    rows = [
        (item.frame.index + 1, one.track_id, x1, y1, x2 - x1, y2 - y1, one.confidence)
        for item in items
        for one in item.people
        for x1, y1, x2, y2 in [one.xyxy.tolist()]
    ]
    table: NDArray[np.float64] = np.array(rows, np.float64).reshape(-1, 7)
    return by_frame(table)


def _verdict(pair: tuple[int, int], tracks: Sequence[TrackedFrame], truth: Truth) -> str:
    """Say whether both tracks follow the same true person, around the switch."""
    times = {
        track_id: [
            item.frame.pts_s for item in tracks for one in item.people if one.track_id == track_id
        ]
        for track_id in pair
    }
    old, new = pair
    if not (times[old] and times[new]):  # an id that the tracker had given before
        return "unclear"
    begin_s = times[new][0]
    end_s = max((pts_s for pts_s in times[old] if pts_s < begin_s), default=begin_s)
    spans = {old: (end_s - AROUND_S, end_s), new: (begin_s, begin_s + AROUND_S)}
    around = [item for item in tracks if end_s - AROUND_S <= item.frame.pts_s <= begin_s + AROUND_S]
    followed: dict[int, Counter[int]] = {old: Counter(), new: Counter()}
    for pts_s, person, track_id in _followed(around, truth):
        if track_id in spans and spans[track_id][0] <= pts_s <= spans[track_id][1]:
            followed[track_id][person] += 1
    if not (followed[old] and followed[new]):
        return "unclear"
    before, after = (followed[track_id].most_common(1)[0][0] for track_id in pair)
    return "right" if before == after else "wrong"


if __name__ == "__main__":
    typer.run(main)
