"""How the labels of the data meet the labels of a model, and what counts as background."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.boxes import FloatArray
from training.labels.samples import DataError
from training.metrics.clip_metrics import Flags

_NUMBERED = re.compile(r"class_(\d+)")  # as labels.label_lists names a number without a name


@dataclass(frozen=True, slots=True)
class LabelMapping:
    """Which classes are distinguished, and which labels each of them takes in."""

    classes: tuple[str, ...]  # K, in the order of the model
    class_of_score: tuple[int, ...]  # for each of the model's M labels
    class_of_label: Mapping[str, int]  # for each label of the data
    background: int | None  # the class that stands for nothing of interest; None: there is none
    aliases: Mapping[str, str]  # as the user gave them: label of the data -> label of the model
    taken_as_background: Mapping[str, int]  # labels the model does not have -> number of clips
    merged_predictions: tuple[str, ...]  # labels of the model that count as background
    without_positives: bool = False  # every clip is background

    def truth(self, labels: Sequence[str]) -> Flags:
        """Encode the labels of one clip: bool (K,)."""
        row = np.zeros(len(self.classes), np.bool_)
        row[[self.class_of_label[label] for label in labels]] = True
        return row

    def best_scores(self, scores: FloatArray) -> FloatArray:
        """Take the highest score of each class: float (M,) -> float32 (K,).

        So the predicted class is the one that the model's own best label belongs to.
        """
        out = np.zeros(len(self.classes), np.float32)
        np.maximum.at(out, list(self.class_of_score), scores.astype(np.float32))
        return out

    def total_scores(self, scores: FloatArray) -> FloatArray:
        """Sum the probabilities of each class: softmax scores float (M,) -> float32 (K,)."""
        out = np.zeros(len(self.classes), np.float32)
        np.add.at(out, list(self.class_of_score), scores.astype(np.float32))
        return out.clip(max=1.0)

    def warnings(self) -> list[str]:
        """Explain how labels were counted, one sentence each."""
        warnings = []
        if self.taken_as_background:
            assert self.background is not None
            name = self.classes[self.background]
            listed = ", ".join(f"{label} ({n} clips)" for label, n in self._taken())
            first = next(iter(self.taken_as_background))
            warnings.append(
                f"the model has no label {listed}: counted as its background {name!r}; "
                f"say so with --alias {first}={name}, or name another of its labels there"
            )
        if self.merged_predictions:
            warnings.append(
                f"the data has background clips and none of {', '.join(self.merged_predictions)}: "
                "a prediction of one of these counts as background"
            )
        if self.without_positives:
            assert self.background is not None
            name = self.classes[self.background]
            warnings.append(
                f"the data has background clips alone: one is right if {name!r} is the highest of "
                "all labels of the model; where others are everyday behaviour as well, list them: "
                f"--set decision.background=[{name},LABEL]"
            )
        return warnings

    def _taken(self) -> list[tuple[str, int]]:
        return sorted(self.taken_as_background.items())


def numbered_aliases(clips: Sequence[Sequence[str]], model_labels: Sequence[str]) -> dict[str, str]:
    """Name the labels of a list without names (`class_N`) by the model's own order, from 0.

    Args:
        clips: the labels of every clip.
        model_labels: in the order of the scores.

    Returns:
        Label of the data -> label of the model; empty where a label is no number, the model has
        such labels itself, or a number is beyond the model's.
    """
    names = sorted({label for labels in clips for label in labels})
    matches = [_NUMBERED.fullmatch(name) for name in names]
    numbers = [int(match[1]) for match in matches if match is not None]
    if len(numbers) < len(names) or max(numbers, default=0) >= len(model_labels):
        return {}
    if set(names) & set(model_labels):
        return {}
    return {name: model_labels[number] for name, number in zip(names, numbers, strict=True)}


def map_labels(
    clips: Sequence[Sequence[str]],
    model_labels: Sequence[str],
    background: Sequence[str],
    aliases: Mapping[str, str],
    *,
    merge_predictions: bool = True,
) -> LabelMapping:
    """Decide what each label counts as.

    * An alias comes first; without one a label is looked for under its own name.
    * A label that the model does not have is background, if the model has a background label.
    * While background clips are among the data, labels of the model that the data does not
      contain are background too: in data of fights, a person called a walker was not called a
      fighter. Not where background is all there is: every answer would be right.

    Args:
        clips: the labels of every clip.
        model_labels: M, in the order of the scores.
        background: labels of the configuration's `decision.background`; the model need not have
            them.
        aliases: label of the data -> label of the model.
        merge_predictions: False keeps the labels of the model apart whatever the data contains.

    Raises:
        DataError: if an alias leads nowhere or is of a label that no clip has, or if the model has
            neither the label nor a background.
    """
    counts = Counter(label for labels in clips for label in labels)
    _check_aliases(aliases, counts, model_labels)
    quiet = [label for label in background if label in model_labels]
    meant = {label: aliases.get(label, label) for label in sorted(counts)}
    unknown = [label for label, name in meant.items() if name not in model_labels]
    if unknown and not quiet:
        raise _nowhere_to_put(unknown, model_labels)
    meant |= dict.fromkeys(unknown, quiet[0] if quiet else "")
    merged: list[str] = []
    without_positives = bool(counts) and set(meant.values()) <= set(quiet)
    if merge_predictions and not without_positives and set(quiet) & set(meant.values()):
        merged = [name for name in model_labels if name not in {*meant.values(), *quiet}]
    classes, index = _classes(model_labels, quiet, merged)
    return LabelMapping(
        classes=classes,
        class_of_score=tuple(index[name] for name in model_labels),
        class_of_label={label: index[name] for label, name in meant.items()},
        background=index[quiet[0]] if quiet else None,
        aliases=dict(aliases),
        taken_as_background={label: counts[label] for label in unknown},
        merged_predictions=tuple(merged),
        without_positives=merge_predictions and without_positives,
    )


def _classes(
    model_labels: Sequence[str], quiet: Sequence[str], merged: Sequence[str]
) -> tuple[tuple[str, ...], dict[str, int]]:
    """Collect the classes, and the number of the class of each label of the model."""
    into = dict.fromkeys([*merged, *quiet], quiet[0] if quiet else "")
    classes = [name for name in model_labels if into.get(name, name) == name]
    return tuple(classes), {name: classes.index(into.get(name, name)) for name in model_labels}


def _nowhere_to_put(unknown: Sequence[str], model_labels: Sequence[str]) -> DataError:
    return DataError(
        f"the model has no label {', '.join(unknown)} and no background label; its labels are "
        f"{', '.join(model_labels)}. Name the one that is meant: --alias {unknown[0]}=LABEL"
    )


def _check_aliases(
    aliases: Mapping[str, str], counts: Mapping[str, int], model_labels: Sequence[str]
) -> None:
    for label, name in aliases.items():
        if name not in model_labels:
            raise DataError(
                f"--alias {label}={name}: the model has no label {name}; "
                f"its labels are {', '.join(model_labels)}"
            )
        if label not in counts:
            raise DataError(
                f"--alias {label}={name}: no clip has the label {label}; "
                f"the data has {', '.join(sorted(counts))}"
            )
