"""The videos that the compact recognizer is trained on: what they show and what is held out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Rule = Literal["as labelled", "by speed", "walk"]

# The rest of pets09_s2l1.avi is the demo's video; it is never trained on.
PETS_TRAINED_S = 56.0
DEMO_GROUP = "pets:demo"
# daily_living is a collage: left, top, right, bottom of each camera's image in pixels.
COLLAGE = ((0, 0, 852, 640), (854, 0, 1280, 318))
# Falls are skipped: no everyday behaviour, and two clips are too few to train on. Two clips of
# jogging in one room are too few for a class of their own as well: they are "nothing".
DAILY_LABELS = {"01": "walk", "02": "walk"}
DAILY_HELD_OUT = ("01", "04", "13", "17")
HELD_OUT_FRACTION, HELD_OUT_SEED = 0.2, 0


@dataclass(frozen=True, slots=True)
class Source:
    """A stretch of a video, or of one camera's part of a collage, in which one rule labels all."""

    dataset: str
    path: Path
    label: str  # of all people; "" where the rule gives it
    rule: Rule
    group: str  # recordings that belong together and are never split
    held_out: bool
    start_s: float = 0.0
    end_s: float = np.inf
    part: tuple[int, int, int, int] | None = None  # xyxy pixels of the camera's image


def list_sources(data: Path) -> list[Source]:
    """List everything that is trained on or held out.

    Args:
        data: folder with ut_interaction, fight_surv, daily_living, mot and video.
    """
    return _labelled_clips(data) + _daily_living(data / "daily_living") + _scenes(data)


def _labelled_clips(data: Path) -> list[Source]:
    rows: list[tuple[str, Path, str, str]] = []
    for dataset in ("ut_interaction", "fight_surv"):
        with (data / dataset / "labels.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                label = "nothing" if row["label"] == "noFight" else row["label"]
                path = data / dataset / row["path"]
                rows.append((dataset, path, label, f"{dataset}:{row['group']}"))
    held_out = held_out_groups([row[3] for row in rows], HELD_OUT_FRACTION, HELD_OUT_SEED)
    return [Source(*row[:3], "as labelled", row[3], row[3] in held_out) for row in rows]


def _daily_living(folder: Path) -> list[Source]:
    sources = []
    for path in sorted([*folder.glob("adl/*.mp4"), *folder.glob("imm/*.mp4")]):
        number = path.stem[:2] if path.parent.name == "adl" else ""
        label, held_out = DAILY_LABELS.get(number, "nothing"), number in DAILY_HELD_OUT
        for part in COLLAGE:
            sources.append(
                Source(
                    "daily_living",
                    path,
                    label,
                    "as labelled",
                    f"daily_living:{path.stem}",
                    held_out,
                    part=part,
                )
            )
    return sources


def _scenes(data: Path) -> list[Source]:
    video = data / "video"
    pets, campus = video / "pets09_s2l1.avi", data / "mot/TUD-Campus/TUD-Campus.mp4"

    def scene(path: Path, rule: Rule, *, held_out: bool = False, label: str = "") -> Source:
        return Source(path.stem, path, label, rule, path.stem, held_out)

    return [
        Source("pets", pets, "", "by speed", "pets:learned", False, end_s=PETS_TRAINED_S),
        Source("pets", pets, "", "by speed", DEMO_GROUP, True, start_s=PETS_TRAINED_S),
        scene(campus, "walk"),
        scene(video / "one_by_one.mp4", "by speed"),
        scene(video / "people.mp4", "by speed", held_out=True),
        scene(video / "crowd_indoor.mp4", "as labelled", label="nothing"),  # playing with balls
    ]


def held_out_groups(groups: Sequence[str], fraction: float, seed: int) -> set[str]:
    """Draw whole groups for testing, the same fraction of each data set.

    Groups, because cuts of one recording sit in several classes: a random split would test on
    backgrounds and people that were trained on.

    Args:
        groups: `dataset:number` of every video, with repetitions.
        fraction: of the videos of each data set, about.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for dataset in sorted({group.split(":")[0] for group in groups}):
        mine = [group for group in groups if group.split(":")[0] == dataset]
        wanted = fraction * len(mine)
        taken = 0
        for group in rng.permutation(sorted(set(mine))):
            if taken >= wanted:
                break
            chosen.add(str(group))
            taken += mine.count(str(group))
    return chosen
