"""Which videos there are, what they show, and which of them are held out."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

Split = Literal["train", "test"]

# The rest of pets09_s2l1.avi is the demo's video; nothing is ever learned from it.
PETS_TEST_FROM = 560


@dataclass(frozen=True, slots=True)
class LabelledVideo:
    """A video whose people all do one thing."""

    dataset: str  # "ut_interaction" or "fight_surv"
    path: Path
    label: str  # one of training.labels.LABELS
    group: str  # recordings that belong together and are never split


def list_videos(data: Path) -> list[LabelledVideo]:
    """Read the label files of ut_interaction and fight_surv.

    Args:
        data: folder that holds both.
    """
    videos = []
    for dataset in ("ut_interaction", "fight_surv"):
        with (data / dataset / "labels.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                label = "nothing" if row["label"] == "noFight" else row["label"]
                path = data / dataset / row["path"]
                videos.append(LabelledVideo(dataset, path, label, f"{dataset}:{row['group']}"))
    return videos


def held_out_groups(groups: Sequence[str], share: float, seed: int) -> set[str]:
    """Draw whole groups for testing, from each data set its share.

    Groups, because cuts of one recording sit in several classes: a random split would test on
    backgrounds and people that were learned.

    Args:
        groups: `dataset:number` of every video, with repetitions.
        share: of the videos of each data set, about.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    chosen: set[str] = set()
    for dataset in sorted({group.split(":")[0] for group in groups}):
        mine = [group for group in groups if group.split(":")[0] == dataset]
        wanted = share * len(mine)
        taken = 0
        for group in rng.permutation(sorted(set(mine))):
            if taken >= wanted:
                break
            chosen.add(str(group))
            taken += mine.count(str(group))
    return chosen
