"""`evaluate --folds`: train a network per fold, and judge the groups that it has not seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from models.checkpoints.checkpoint import CheckpointError, read_defaults
from models.public.names import looks_public
from pipeline.config.schema import PipelineConfig
from pipeline.errors import ConfigError
from pipeline.paths import is_there
from pipeline.recognizer_weights import weights_file
from training.commands.evaluate_data import map_samples
from training.commands.evaluate_request import EvaluateRequest, FoldsRequest
from training.config import TrainConfig
from training.console import ProgressPrinter
from training.crops.crop_cache import file_identity
from training.crops.training_data import LabelledData, label_data, read_sources
from training.evaluation.clip_results import (
    ClipEvaluation,
    ClipScore,
    FoldResult,
    FoldsEvaluation,
    UnreadableClip,
)
from training.evaluation.clips import evaluate_clips
from training.evaluation.evaluated_model import EvaluatedModel
from training.evaluation.fold_scores import load_scores, save_scores
from training.fitting.run_state import MODEL
from training.fitting.starting_point import describe_origin
from training.fitting.train import TrainRequest, data_section, train_on
from training.labels.fingerprints import video_fingerprint
from training.labels.samples import DataError, Sample, label_names
from training.labels.splits import draw_folds, unit_of

SCORES = "scores.npz"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fold:
    """What one network is trained on and judged by."""

    number: int  # from 1 on
    of: int
    data: LabelledData  # with splits; test is what is judged
    folder: Path

    @property
    def judged(self) -> list[Sample]:
        """Samples of the fold."""
        return [sample for sample in self.data.samples if sample.split == "test"]

    @property
    def name(self) -> str:
        """Name for people."""
        return f"fold {self.number} of {self.of}"


def cross_validate(
    request: EvaluateRequest,
    asked: FoldsRequest,
    config: PipelineConfig,
    project: Path,
    console: Console,
) -> FoldsEvaluation:
    """Train and judge every fold that is not finished, and put the folds together.

    A fold is known by its samples, the settings and the weights that it starts from: it is trained
    and scored once, whatever happens in between.

    Args:
        request: of the evaluation; its data is distributed over the folds.
        asked: number of folds, settings of training, folder.
        config: detector, tracker and device, also of the training.
        project: where relative paths of the configurations may lie.
        console: for progress.

    Raises:
        ConfigError: if the start has seen the data, or the data cannot be divided.
        KeyboardInterrupt: if it was stopped; what is done is kept.
    """
    training = _people_of(asked.training, config, request.cache)
    samples = _samples(request, training, project)
    warnings = check_start(training, samples, project)
    for warning in warnings:
        log.warning("%s", warning)
    folds = list(_folds(samples, request, asked, training, project))
    results: list[tuple[Fold, list[ClipScore], list[str]]] = []
    for fold in folds:
        model = _trained(fold, request, training, config, project, console)
        results.append((fold, *_scored(fold, model, request, console)))
    everything = [score for _, scores, _ in results for score in scores]
    if not everything:
        raise DataError(f"{request.data}: none of its clips could be read")
    model = EvaluatedModel(_with(config, folds[0]), project, request.cache)
    mapping = map_samples([one.sample for one in everything], {}, model)
    several = model.multi_label

    def judge(scores: Sequence[ClipScore]) -> ClipEvaluation:
        return evaluate_clips(scores, mapping, model_multi_label=several, seed=request.seed)

    return FoldsEvaluation(
        pooled=judge(everything),
        folds=tuple(_result(fold, judge(scores)) for fold, scores, _ in results if scores),
        spec=model.spec,
        started_from=describe_origin(training.model),
        warnings=tuple(warnings),
        left_out=tuple(text for *_, texts in results for text in texts),
    )


def check_start(training: TrainConfig, samples: Sequence[Sample], project: Path) -> list[str]:
    """Return why the result may be too good: the start may have seen what is judged.

    Raises:
        ConfigError: if it is known to have seen some of it, or cannot be read.
    """
    if training.model.architecture is not None:
        return []
    start = training.model.weights
    try:
        file = weights_file(start, project)
        fetched = is_there(file) or not looks_public(start)
        record = read_defaults(file)[1] if fetched else None
    except CheckpointError as error:
        raise ConfigError(f"model.weights: {error}") from error
    seen_videos = frozenset[str]() if record is None else record.seen
    seen = {unit_of(one) for one in samples if video_fingerprint(one.path) in seen_videos}
    if seen:
        total = len({unit_of(one) for one in samples})
        raise ConfigError(
            f"{start}: these weights were trained on videos of {len(seen)} of the {total} groups "
            "that are to be judged, so every fold would know its answers. Start from others "
            "(--from), or from scratch: --train-set model.architecture=slowfast_compact"
        )
    if record is None or not record.complete:
        return [
            f"{start} does not record all that it was trained on: if it has seen this data, the "
            "result is too good. Weights that this version trains from scratch record it"
        ]
    return []


def _people_of(training: TrainConfig, config: PipelineConfig, cache: Path) -> TrainConfig:
    """Give training the detector, tracker and device that the folds are judged with."""
    default = TrainConfig()
    for name in ("detector", "tracker", "device"):
        given, used = getattr(training, name), getattr(config, name)
        if given not in (getattr(default, name), used):
            raise ConfigError(
                f"--train-config: {name} differs from that of the evaluation; give it with "
                f"--config or --set {name}..., which holds for both"
            )
    data = training.data.model_copy(update={"cache": cache})
    shared = {name: getattr(config, name) for name in ("detector", "tracker", "device")}
    return training.model_copy(update={**shared, "data": data})


def _samples(request: EvaluateRequest, training: TrainConfig, project: Path) -> list[Sample]:
    """Read what is distributed, with the names of labels that the network is to have."""
    assert request.data is not None
    section, file = data_section(training, project), request.label_file
    samples = read_sources([request.data], section, label_file=file, videos=None)
    if request.split is not None:
        samples = [sample for sample in samples if sample.split == request.split]
        if not samples:
            raise DataError(f"{request.data}: no sample is in the split {request.split}")
    known = {label for sample in samples for label in sample.labels}
    for label, name in request.aliases.items():
        if label not in known:
            raise DataError(f"--alias {label}={name}: no clip has the label {label}")

    def names(one: Sample) -> tuple[str, ...]:
        return tuple(dict.fromkeys(request.aliases.get(label, label) for label in one.labels))

    return [replace(one, labels=names(one)) for one in samples]


def _folds(
    samples: Sequence[Sample],
    request: EvaluateRequest,
    asked: FoldsRequest,
    training: TrainConfig,
    project: Path,
) -> Iterator[Fold]:
    section = data_section(training, project)
    further = read_sources(asked.also, section, label_file=request.label_file, videos=None)
    further = [replace(one, split="train") for one in further]
    labels = section.labels or label_names([*samples, *further])
    section = section.model_copy(update={"labels": labels})
    start = training.model.weights
    parts: list[object] = [training.model_dump(mode="json", exclude={"data": {"cache"}})]
    parts += (
        [file_identity(weights_file(start, project))] if not training.model.architecture else []
    )
    settings = json.dumps(parts, sort_keys=True)
    of_sample = draw_folds(samples, asked.folds, request.seed)
    for number in range(asked.folds):
        with _named(f"fold {number + 1} of {asked.folds}"):
            placed = [
                replace(one, split="test" if fold == number else None)
                for one, fold in zip(samples, of_sample, strict=True)
            ]
            data = label_data([*placed, *further], section, seed=training.loop.seed)
        identity = _identity(data, settings)
        name = f"fold-{number + 1}-of-{asked.folds}-{identity[:8]}"
        yield Fold(number + 1, asked.folds, data, asked.output / name)


def _identity(data: LabelledData, settings: str) -> str:
    """Hash everything that a fold depends on."""
    described = [
        (file_identity(one.path), one.labels, one.start_s, one.end_s, repr(one.box), one.split)
        for one in data.samples
    ]
    text = json.dumps([settings, described, data.labels, data.multi_label])
    return hashlib.sha256(text.encode()).hexdigest()


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Name the fold in an error about its data."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _trained(
    fold: Fold,
    request: EvaluateRequest,
    training: TrainConfig,
    config: PipelineConfig,
    project: Path,
    console: Console,
) -> EvaluatedModel:
    """Train the network of a fold, or find it finished."""
    if (fold.folder / MODEL).is_file():
        log.info("%s: trained already (%s)", fold.name, fold.folder)
    else:
        others = list(fold.folder.parent.glob(f"fold-{fold.number}-of-{fold.of}-*"))
        if others and fold.folder not in others:
            log.info("%s: data or settings are not those of %s", fold.name, others[0])
        log.info("%s: %d clips to judge", fold.name, len(fold.judged))
        paths = () if request.data is None else (request.data,)
        asked = TrainRequest(paths, fold.folder, request.label_file, None, False, request.command)
        with _named(fold.name):
            if not train_on(fold.data, asked, training, project, console):
                raise KeyboardInterrupt
    return EvaluatedModel(_with(config, fold), project, request.cache)


def _with(config: PipelineConfig, fold: Fold) -> PipelineConfig:
    section = config.recognizer.model_copy(update={"weights": str(fold.folder / MODEL)})
    return config.model_copy(update={"recognizer": section})


def _scored(
    fold: Fold, model: EvaluatedModel, request: EvaluateRequest, console: Console
) -> tuple[list[ClipScore], list[str]]:
    """Score what the network of a fold has not seen, or load its scores."""
    samples, path = fold.judged, fold.folder / SCORES
    identity = f"{model.identity} {request.through_pipeline}"
    items = load_scores(path, identity, samples)
    if items is None:
        items = []
        with ProgressPrinter(console) as progress:
            for item in model.score_clips(
                samples, progress, through_pipeline=request.through_pipeline
            ):
                items.append(item)
                progress.show(f"{fold.name}: clips", len(items), len(samples))
        save_scores(path, identity, samples, items)
    failures = [str(item) for item in items if isinstance(item, UnreadableClip)]
    for failure in failures:
        log.error("skipped: %s", failure)
    return [item for item in items if isinstance(item, ClipScore)], failures


def _result(fold: Fold, evaluation: ClipEvaluation) -> FoldResult:
    return FoldResult(
        number=fold.number,
        trained_on=sum(sample.split == "train" for sample in fold.data.samples),
        clips=len(evaluation.scores),
        groups=len(evaluation.per_group),
        top1=evaluation.value("top1"),
        area_under_curve=evaluation.value("area_under_curve"),
        folder=str(fold.folder),
    )
