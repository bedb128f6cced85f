"""Everything of a run that keeps evidence: its settings, threads, memory and folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Self

from pipeline.config.evidence import EvidenceConfig
from pipeline.errors import ConfigError
from pipeline.evidence.clip_process import ClipProcess
from pipeline.evidence.files import EvidenceFiles
from pipeline.evidence.frame_store import FrameStore
from pipeline.evidence.health import EvidenceHealth
from pipeline.evidence.retention import KeptFor, keep_within_limits
from pipeline.evidence.shown import Choice
from pipeline.evidence.stage import EvidenceKeeper, EvidencePlan, keep_evidence
from pipeline.evidence.videos import ClipVideos
from pipeline.evidence.writer import EvidenceWriter
from pipeline.runtime.shutdown import Shutdown
from pipeline.types import ClippedFrame, DecidedEnd, DecidedFrame, StreamEnd

CLIP_LIMIT_S = 120.0  # for a clip to be written; encoding a minute of 4K takes about as long
_DAY_S = 86_400.0
_MB = 1_000_000

log = logging.getLogger(__name__)


class RunEvidence:
    """The evidence of one run; a context manager, around the threads of the run.

    Where nothing is kept, it passes on what it gets.

    Args:
        config: what is kept.
        output: folder of the run's outputs.
        run_id: of the run.
        actions: that the recognizer knows.
        shutdown: of the run.
        max_pixels: of a frame that is decoded for a clip.
        is_live: the stages must not wait for a disk, and memory is bounded here.

    Raises:
        ConfigError: if a pattern of `evidence.actions` matches no action.
    """

    def __init__(
        self,
        config: EvidenceConfig,
        output: Path,
        run_id: str,
        actions: Sequence[str],
        shutdown: Shutdown,
        max_pixels: int,
        *,
        is_live: bool,
    ) -> None:
        _check_patterns(config.actions, actions)
        self._config, self._shutdown = config, shutdown
        self.health = EvidenceHealth()
        self._folder = config.folder_in(output)
        self._files = EvidenceFiles(self._folder, run_id)
        self._images = FrameStore(
            int(config.image_mb * _MB) if is_live else None, every_frame=bool(config.rules)
        )
        self.plan = EvidencePlan(
            Choice(config.rules, config.actions),
            config.snapshot,
            config.clip,
            config.before_s,
            config.after_s,
            config.longest_s,
            config.blur,
            config.snapshot_wait_s if is_live else None,
        )
        self._writer = EvidenceWriter(
            self._files, self.health, ClipProcess(CLIP_LIMIT_S), max_pixels, patient=not is_live
        )

    def __enter__(self) -> Self:
        if self._config.is_on:
            log.info("evidence: %s", self._folder)
            try:
                self._files.__enter__()
            except OSError as error:
                text = f"{self._folder} cannot be created ({error.strerror})"
                self.health.failed("retention", "disk", text)
        return self

    def __exit__(self, *error: object) -> None:
        if self._config.is_on:
            self._files.__exit__()

    @property
    def cuts_clips(self) -> bool:
        """Whether the encoded video of cameras is needed."""
        return self._config.is_on and self._config.clip

    @property
    def packet_bytes(self) -> int:
        """Memory per camera for its encoded video."""
        return int(self._config.packet_mb * _MB)

    def threads(self) -> Iterator[tuple[str, Callable[[], None]]]:
        """Yield the threads that a run needs, each by name; start them after the stage `keep`."""
        if self._config.is_on:
            config = self._config
            limits = KeptFor(config.max_age_days * _DAY_S, int(config.max_size_gb * 1000 * _MB))
            yield "evidence snapshots", self._writer.run_snapshots
            yield "evidence clips", self._writer.run_clips
            yield (
                "evidence retention",
                partial(keep_within_limits, self._folder, limits, self.health, self._writer.closed),
            )

    def cancel(self) -> None:
        """End the threads now, without what waits; from any thread.

        The stage cannot be relied upon for it: the run holds it, so that it is not closed with the
        stage behind it.
        """
        self._writer.close(drop=True)

    def keep_images(
        self, items: Generator[ClippedFrame | StreamEnd, None, None]
    ) -> Generator[ClippedFrame | StreamEnd, None, None]:
        """Keep the images of frames that may be decided on, before pixels are dropped."""
        kept = self._config.is_on and self._config.snapshot
        return self._images.keep(items) if kept else items

    def keep(
        self, items: Iterable[DecidedFrame | DecidedEnd], videos: ClipVideos
    ) -> Iterable[DecidedFrame | DecidedEnd]:
        """Keep evidence of what was decided, as a stage; see `keep_evidence`."""
        if not self._config.is_on:
            return items
        keeper = EvidenceKeeper(
            self.plan, self._writer, self._images, videos, self._shutdown.stop, self._shutdown.now
        )
        return keep_evidence(items, keeper)


def _check_patterns(patterns: Sequence[str], actions: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(action, pattern) for action in actions):
            known = ", ".join(actions) or "none"
            raise ConfigError(
                f"evidence.actions: {pattern!r} matches no action; the recognizer knows: {known}"
            )
