"""The evaluated model, and the components around it, which are loaded when they are needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from models.inference.action_recognizer import ActionRecognizer
from models.inference.scene_recognizer import SceneRecognizer
from models.slowfast.input_spec import InputSpec
from pipeline.components import (
    Components,
    build_components,
    choose_device,
    load_model,
    prepare_recognizer,
)
from pipeline.config.schema import PipelineConfig
from pipeline.default_thresholds import decision_policy
from pipeline.errors import ConfigError
from pipeline.recognizer_weights import weights_file
from pipeline.stages.subject_decider import DecisionPolicy
from training.console import ProgressPrinter
from training.crops.crop_cache import file_identity
from training.crops.people_finder import ConfiguredPeopleFinder
from training.evaluation.cached_clips import score_cached_clips
from training.evaluation.clip_results import ClipScore, UnreadableClip
from training.evaluation.pipeline_clips import score_clips
from training.evaluation.score_cache import ScoreCache
from training.evaluation.video_scores import VideoScores, score_video
from training.evaluation.view_options import WholeFrameViews
from training.evaluation.whole_frame import (
    ViewScoreCache,
    score_whole_frames,
    views_identity,
)
from training.labels.samples import Sample

log = logging.getLogger(__name__)


class EvaluatedModel:
    """A recognizer, and the pipeline around it.

    Args:
        config: of the pipeline.
        project: where a relative path is looked for if the current directory does not have it.
        cache: folder for crops and scores.
        raw: without the temperatures and thresholds of the weights, to choose new ones.

    Raises:
        ConfigError: naming the key whose file, device or label does not fit.
    """

    def __init__(
        self, config: PipelineConfig, project: Path, cache: Path, *, raw: bool = False
    ) -> None:
        self.config, self.project, self._cache, self._raw = config, project, cache, raw
        self._device = choose_device(config.device)
        finder = ConfiguredPeopleFinder(config.detector, config.tracker, project, self._device)
        self._people = finder

    @cached_property
    def recognizer(self) -> ActionRecognizer | SceneRecognizer:
        """The recognizer, built at first use."""
        model = load_model(self.config, self.project)
        if self._raw:
            model.default_decision = None
        return prepare_recognizer(model, self.config.recognizer, self._device)

    @cached_property
    def components(self) -> Components:
        """All components of the pipeline, built at first use."""
        return build_components(
            self.config,
            self.project,
            detector=self._people.detector,
            recognizer=self.recognizer,
        )

    @property
    def spec(self) -> InputSpec:
        """Input of the recognizer."""
        return self.recognizer.spec

    @property
    def name(self) -> str:
        """Name of the model in events."""
        return self.spec.name

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        return self.recognizer.labels

    @property
    def multi_label(self) -> bool:
        """True if the scores are independent of each other (sigmoid)."""
        return self.spec.multi_label

    @property
    def policy(self) -> DecisionPolicy:
        """Decision rules as configured; loads no detector."""
        policy = decision_policy(self.labels, self.config.decision)
        return replace(policy, group_actions=frozenset(self.spec.group_labels))

    @property
    def event_policy(self) -> DecisionPolicy:
        """Decision rules as configured, or as the weights have them where nothing is."""
        return self.components.policy

    @property
    def background(self) -> tuple[str, ...]:
        """Labels that never become an event."""
        return self.config.decision.background

    @property
    def background_columns(self) -> tuple[int, ...]:
        """Columns of the scores of these labels."""
        return tuple(n for n, label in enumerate(self.labels) if label in self.background)

    def document(self) -> dict[str, Any]:
        """Describe the recognizer for the JSON document."""
        file = self.config.recognizer.weights
        return {"name": self.name, "file": file, "labels": list(self.labels)}

    def parts_document(self) -> dict[str, Any]:
        """Describe detector and tracker for the JSON document; loads neither."""
        return {"detector": self.config.detector.weights, "tracker": self.config.tracker.name}

    def score_clips(
        self,
        samples: Sequence[Sample],
        progress: ProgressPrinter,
        *,
        through_pipeline: bool,
        whole_frame: WholeFrameViews | None = None,
    ) -> Iterator[ClipScore | UnreadableClip]:
        """Score every sample; one item per sample.

        Args:
            samples: labelled clips.
            progress: of the preparation.
            through_pipeline: clips as the live pipeline cuts them.
            whole_frame: views of whole frames instead of people; None: people.

        Raises:
            ConfigError: if the network is one of scenes, which takes no single crops.
        """
        if whole_frame is not None:
            return self._score_whole_frames(samples, whole_frame)
        if through_pipeline:
            span_s = self.components.clip_spec.span_s
            return score_clips(
                samples,
                lambda path: self.score_video(path, None),
                span_s,
                background=self.background_columns,
                group_labels=self.spec.group_labels,
            )
        if isinstance(self.recognizer, SceneRecognizer):
            raise ConfigError(
                f"{self.name} sees whole scenes and not single people: add --through-pipeline"
            )
        return score_cached_clips(
            samples,
            self.recognizer,
            self.spec,
            self._cache,
            self._people,
            lambda done, total: progress.show("videos whose people are cut", done, total),
            background=self.background_columns,
        )

    def _score_whole_frames(
        self, samples: Sequence[Sample], views: WholeFrameViews
    ) -> Iterator[ClipScore | UnreadableClip]:
        model = load_model(self.config, self.project)
        model.input_spec = replace(model.input_spec, crop_size=views.side)
        recognizer = prepare_recognizer(model, self.config.recognizer, self._device)
        if isinstance(recognizer, SceneRecognizer):
            raise ConfigError(
                f"{self.name} scores boxes of scenes and has no score of a whole frame"
            )
        cache = ViewScoreCache(
            self._cache / "whole_frame", repr([views_identity(views), *self._recognizer_identity])
        )
        return score_whole_frames(samples, recognizer, recognizer.spec, views, cache)

    def score_video(self, video: Path, progress: ProgressPrinter | None) -> VideoScores:
        """Score the people of a video, or load the scores from the cache.

        Raises:
            SourceError: if it cannot be read to its end.
        """
        known = self._scores.load(video)
        if known is not None:
            return known

        def advance(done: int, promised: int) -> None:
            if progress is not None:
                progress.show(f"frames of {video.name}", done, promised)

        stride_s = self.config.clip.stride_s
        scores = score_video(video, self.components, stride_s=stride_s, advance=advance)
        self._scores.save(scores)
        return scores

    @cached_property
    def identity(self) -> str:
        """Text that differs where other scores would come out."""
        reattach_s = self.config.tracker.reattach_s
        return repr([self._people.identity, reattach_s, *self._recognizer_identity])

    @cached_property
    def _scores(self) -> ScoreCache:
        return ScoreCache(self._cache / "scores", self.identity)

    @property
    def _recognizer_identity(self) -> list[object]:
        recognizer, clip = self.config.recognizer, self.config.clip
        weights = file_identity(weights_file(recognizer.weights, self.project))
        raw = ["raw"] if self._raw else []  # without it, what is cached stays valid
        parts = [weights, recognizer.model_dump_json(), clip.model_dump_json(), self._device]
        return [*parts, *raw]
