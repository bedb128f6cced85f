"""The classes of public data sets, for checkpoints that do not name theirs."""

from __future__ import annotations

from pathlib import Path

from models.checkpoints.label_files import read_label_numbers, read_labels
from models.slowfast.input_spec import numbered_labels

FOLDER = Path(__file__).parent / "label_sets"
LABEL_SETS = {
    "kinetics400": 400,
    "kinetics600": 600,
    "kinetics700": 700,
    "ava": 80,
    "ucf101": 101,
    "hmdb51": 51,
    "something_something_v2": 174,
}
NO_NAMES = "none"
_EVALUATED = 60  # actions of AVA; the others have too few examples for its published accuracies
# By the number of a network's outputs. AVA's: all, those that are evaluated, and all behind one
# that mmaction2 does not use.
_OF_BOXES = {80: "ava", 60: "ava", 81: "ava"}
_OF_CLIPS = {count: name for name, count in LABEL_SETS.items() if name != "ava"}
_TWO_SETS = 174  # Something-Something V1 has as many classes, in another order


def guess_label_set(num_classes: int, *, boxes: bool, library: str) -> str | None:
    """Return the data set that a network of so many classes was probably trained on.

    Args:
        num_classes: outputs of the network.
        boxes: it scores boxes (AVA), not clips.
        library: that wrote its weights. mmaction2 published networks of both versions of
            Something-Something, PySlowFast of the second alone.

    Returns:
        A name of `LABEL_SETS`; None if no data set, or more than one, has so many.
    """
    if num_classes == _TWO_SETS and library == "mmaction2":
        return None
    return (_OF_BOXES if boxes else _OF_CLIPS).get(num_classes)


def read_label_set(name: str, num_classes: int) -> tuple[str, ...]:
    """Read the labels of a data set for a network of so many classes.

    Raises:
        ValueError: if the data set has another number of classes.
    """
    if name == "ava" and num_classes == _EVALUATED:
        return tuple(read_label_numbers(FOLDER / "ava_evaluated.txt").values())
    return read_labels(FOLDER / f"{name}.txt", num_classes)


def choose_labels(source: str, num_classes: int) -> tuple[str, ...]:
    """Read the labels that the user chose.

    Args:
        source: a name of `LABEL_SETS`, `none` for class_0, class_1, ..., or a file of labels.
        num_classes: how many there must be.

    Raises:
        ValueError: if there is no such file, or it has other labels than these.
    """
    if source == NO_NAMES:
        return numbered_labels(num_classes)
    if source in LABEL_SETS:
        return read_label_set(source, num_classes)
    if not Path(source).is_file():
        raise ValueError(
            f"{source}: neither a file of labels nor one of {', '.join(LABEL_SETS)}, {NO_NAMES}"
        )
    return read_labels(Path(source), num_classes)
