"""The file that a clip of a replay is cut from."""

from __future__ import annotations

from pathlib import Path

from pipeline.evidence.videos import RecordedVideos
from pipeline.sources.file_decoder import DECODE_DEFAULTS
from pipeline.sources.video_files import VideoFile


def test_a_clip_over_a_seam_is_cut_from_the_file_with_most_of_it() -> None:
    videos = RecordedVideos(DECODE_DEFAULTS)
    videos.began(VideoFile("gate", Path("a.mp4")), 0.0)
    videos.began(VideoFile("gate", Path("b.mp4"), stream=1), 60.0)
    videos.began(VideoFile("yard", Path("c.mp4")), 0.0)
    first, second = videos.take("gate", 0, 50.0, 63.0), videos.take("gate", 0, 58.0, 70.0)
    assert first is not None
    assert second is not None
    assert (first.path, first.begins_s) == (Path("a.mp4"), 0.0)
    assert (second.path, second.stream, second.begins_s) == (Path("b.mp4"), 1, 60.0)
    assert videos.take("door", 0, 0.0, 1.0) is None
