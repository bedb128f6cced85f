"""The detector and the tracker of the pipeline's configuration, loaded when needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from models.detectors.hog import HogPersonDetector
from models.detectors.yolo import YoloPersonDetector
from pipeline.components import build_detector
from pipeline.config.schema import DetectorConfig, TrackerConfig
from pipeline.config.shipped_files import find_file
from pipeline.stages.tracking import Tracker
from pipeline.tracker_parts import tracker_factory
from training.crops.crop_cache import file_identity


class ConfiguredPeopleFinder:
    """See `video_cut.PeopleFinder`.

    Args:
        detector: section of the configuration.
        tracker: section of the configuration.
        project: where a relative path is looked for if the current directory does not have it.
        device: "cpu" or "cuda:N".
    """

    def __init__(
        self, detector: DetectorConfig, tracker: TrackerConfig, project: Path, device: str
    ) -> None:
        self._detector_section, self._tracker_section = detector, tracker
        self._project, self._device = project, device

    @cached_property
    def identity(self) -> str:
        """Text of everything that decides who is detected where.

        Weights that are a file here are known without loading them. Official weights may be
        fetched or replaced by the built-in detector: which of the two it is shows when it is built.
        """
        section = self._detector_section
        weights = file_identity(find_file(section.weights, self._project))
        name: object = weights or self.detector.description
        keys = {"confidence", "iou", "image_size"}
        # Without the default: it would invalidate every existing entry of the crop cache.
        keys |= {"person_class"} & section.model_dump(exclude_defaults=True).keys()
        settings = section.model_dump(include=keys)
        # Samples are cut from tracks, so it does not matter which of them are one person.
        tracker = self._tracker_section.model_dump_json(exclude={"reattach_s"})
        return f"{name} {settings} {tracker}"

    @cached_property
    def detector(self) -> YoloPersonDetector | HogPersonDetector:
        """The detector, built at first use."""
        return build_detector(self._detector_section, self._project, self._device)

    @cached_property
    def new_tracker(self) -> Callable[[], Tracker]:
        """Factory of trackers, built at first use; they share their networks."""
        return tracker_factory(self._tracker_section, self._device)
