"""A pretraining run: from label files to the weights that training starts from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.boxes import FloatArray
from models.checkpoints.checkpoint import save_recognizer
from models.slowfast.recognizer3d import Recognizer3D
from pipeline.config.shipped_files import PROJECT
from pipeline.errors import ConfigError
from training.config import TrainConfig, load_train_config
from training.crops.crop_cache import CachedTrack, CutSpec
from training.crops.people_finder import ConfiguredPeopleFinder
from training.crops.preparation import prepare_tracks
from training.fitting.specs import view_spec
from training.fitting.starting_point import build_starting_point
from training.labels.label_files import read_samples
from training.labels.samples import DataError, label_names
from training.pretraining.distillation import ClipSet, DistillationSpec, distil, teach
from training.pretraining.teachers import FrameTeacher, StreamTeacher, Teacher

TAUGHT_LINE_EVERY = 50  # clips


@dataclass(frozen=True, slots=True)
class PretrainingRequest:
    """What the user asked for."""

    data: tuple[Path, ...]
    output: Path
    frame_teachers: tuple[Path, ...]
    stream_teachers: tuple[Path, ...]
    config: Path | None
    settings: tuple[str, ...]
    videos: Path | None
    steps: int
    learning_rate: float
    print_every: int  # steps


def pretrain(request: PretrainingRequest, echo: Callable[[str], None]) -> None:
    """Distil the teachers into a network and save it.

    The features of a teacher are kept beside the output, so that a run that was stopped there
    continues; a run that is stopped while it trains saves the average of its weights.

    Args:
        request: data, teachers, output.
        echo: prints a line of progress.

    Raises:
        ConfigError: naming the file or the key that cannot be used.
    """
    if not request.frame_teachers and not request.stream_teachers:
        raise ConfigError("pretraining needs a teacher: --frame-teacher or --stream-teacher")
    config = load_train_config(request.config, list(request.settings))
    teachers: dict[Path, Teacher] = {path: FrameTeacher(path) for path in request.frame_teachers}
    teachers |= {path: StreamTeacher(path) for path in request.stream_teachers}
    model, tracks = _prepare(request, config, echo)
    clips = ClipSet(tracks, model)
    request.output.parent.mkdir(parents=True, exist_ok=True)
    features = [
        _features(clips, teacher, path, request.output, echo) for path, teacher in teachers.items()
    ]
    spec = DistillationSpec(
        steps=request.steps,
        batch_size=config.loop.batch_size,
        learning_rate=request.learning_rate,
        seed=config.loop.seed,
    )
    losses: list[float] = []
    started = time.monotonic()
    run = distil(model, clips, features, view_spec(config.augmentation), spec)
    try:
        for loss in run:
            losses.append(loss)
            if len(losses) % request.print_every == 0 or len(losses) == spec.steps:
                left_s = (spec.steps - len(losses)) * (time.monotonic() - started) / len(losses)
                mean = np.mean(losses[-request.print_every :])
                done = f"step {len(losses)} of {spec.steps}"
                echo(f"{done}: loss {mean:.3f}, {left_s / 60:.0f} min left")
    except KeyboardInterrupt:
        echo(f"stopped after {len(losses)} of {spec.steps} steps")
    finally:
        run.close()  # puts the average of the weights in place
        if losses:
            save_recognizer(request.output, model, half=config.model.half)
    echo(f"{request.output} is ready: behaviour-stream train --from {request.output} ...")


def _prepare(
    request: PretrainingRequest, config: TrainConfig, echo: Callable[[str], None]
) -> tuple[Recognizer3D, tuple[CachedTrack, ...]]:
    samples = [
        sample for source in request.data for sample in read_samples(source, videos=request.videos)
    ]
    model = build_starting_point(
        config,
        config.data.labels or label_names(samples),
        multi_label=bool(config.data.multi_label),
        name=config.model.name or request.output.stem,
        project=PROJECT,
    )
    cut = CutSpec.of(
        model.input_spec, fps=config.data.fps, min_track_fraction=config.data.min_track_share
    )
    people = ConfiguredPeopleFinder(config.detector, config.tracker, PROJECT, "cpu")
    shown = [sample for sample in samples if sample.split not in ("val", "test")]
    if len(shown) < len(samples):
        echo(f"{len(samples) - len(shown)} samples of val and test are not shown")
    prepared = prepare_tracks(shown, cut, config.data.cache, people)
    for failure in prepared.failures:
        echo(f"skipped: {failure}")
    tracks = tuple(track for track in prepared.tracks if not track.whole_frame)
    if len(tracks) < config.loop.batch_size:
        raise DataError(
            f"{len(tracks)} people and groups were found in {len(shown)} samples, "
            f"fewer than loop.batch_size {config.loop.batch_size}"
        )
    echo(f"{len(tracks)} people and groups in {len(shown)} samples")
    return model, tracks


def _features(
    clips: ClipSet, teacher: Teacher, path: Path, output: Path, echo: Callable[[str], None]
) -> FloatArray:
    """Read the features of an earlier run of the same clips, or compute and keep them."""
    kept = output.with_suffix(f".{path.stem}.npz")
    names = [f"{track.file.name} {track.pts_s[0]:.3f} {len(track)}" for track in clips.tracks]
    if kept.is_file():
        stored = np.load(kept)
        if stored["clips"].tolist() == names:
            return np.asarray(stored["features"], np.float32)

    def advanced(done: int, total: int) -> None:
        if done % TAUGHT_LINE_EVERY == 0 or done == total:
            echo(f"{path.name}: features of {done} of {total} clips")

    features = teach(clips, teacher, advanced)
    np.savez(kept, clips=np.array(names), features=features)
    return features
