"""Judge a video by its most active subject, so that onlookers do not outvote who acts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from models.boxes import FloatArray
from pipeline.types import SubjectKind


def of_subject(
    scores: FloatArray,
    kind: SubjectKind,
    labels: Sequence[str],
    group_labels: Collection[str],
    background: Sequence[int],
) -> FloatArray:
    """Keep the labels that such a subject can have; the others count as background.

    A group does not walk, and a person alone does not fight: the pipeline makes no events of such
    scores. What is not background already is added to the first column of the background.

    Args:
        scores: float32 (V, K) of one subject.
        kind: of the subject.
        labels: the K labels.
        group_labels: those of groups; all others are of persons. None at all: nothing changes.
        background: columns that stand for no action.

    Returns:
        float32 (V, K), each score at most 1.
    """
    if not group_labels:
        return scores
    is_foreign = [(label in group_labels) != (kind == "group") for label in labels]
    foreign = [n for n, other in enumerate(is_foreign) if other and n not in background]
    kept = scores.copy()
    kept[:, foreign] = 0
    if background:
        rest = kept[:, background[0]] + scores[:, foreign].sum(axis=1)
        kept[:, background[0]] = rest.clip(max=1)
    return kept


def judge_by_best_subject(rows: FloatArray, background: Sequence[int]) -> FloatArray:
    """Combine the scores of the subjects of one video.

    The score of an action is its maximum over the subjects. The background wins exactly where it
    wins in every subject: its score is the highest score of an action plus the smallest lead that
    the background has over the actions of one subject. With one subject these are its own scores;
    with two labels, the background's score is one minus the action's.

    Args:
        rows: float32 (S, K), per subject the scores averaged over time; S >= 1.
        background: columns that stand for no action.

    Returns:
        float32 (K,).
    """
    best = np.asarray(rows.max(axis=0), np.float32)
    quiet = np.isin(np.arange(rows.shape[1]), list(background))
    if not quiet.any() or quiet.all():
        return best
    actions, rest = rows[:, ~quiet].max(axis=1), rows[:, quiet].max(axis=1)
    most_active = int((actions - rest).argmax())
    lead = rest[most_active] - actions[most_active]
    own = rows[most_active, quiet]
    score = actions.max() + lead
    best[quiet] = own * (score / rest[most_active]) if rest[most_active] > 0 else 0.0
    return best


def most_active_subject(rows: FloatArray, background: Sequence[int]) -> int:
    """Return the row whose score of the video's answer is the highest.

    Args:
        rows: float32 (S, K), S >= 1.
        background: columns that stand for no action; where they are the answer, it is the row in
            which they lead least.
    """
    answer = int(judge_by_best_subject(rows, background).argmax())
    if answer not in background:
        return int(rows[:, answer].argmax())
    quiet = np.isin(np.arange(rows.shape[1]), list(background))
    actions = rows[:, ~quiet].max(axis=1) if not quiet.all() else np.zeros(len(rows), np.float32)
    return int((actions - rows[:, quiet].max(axis=1)).argmax())
