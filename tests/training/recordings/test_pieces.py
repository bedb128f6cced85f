"""Which samples become pieces, of which recording, and in which order."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import write_video
from training.labels.samples import Sample
from training.recordings.pieces import Piece, measure_pieces, plan_recordings


def piece(n: int, wh: tuple[int, int] = (64, 48), step_s: float = 0.04) -> Piece:
    return Piece(Sample(Path(f"{n}.mp4"), ("walk",)), wh, 100, 4.0, step_s)


def test_what_is_too_short_or_unreadable_is_named_with_the_reason(tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mp4", [n / 10 for n in range(30)])
    short = write_video(tmp_path / "short.mp4", [n / 10 for n in range(10)])
    samples = [Sample(path, ("walk",)) for path in (long, short, tmp_path / "gone.mp4")]
    progress: list[tuple[int, int]] = []
    pieces, unused = measure_pieces(samples, 2.5, lambda *done: progress.append(done))
    assert [(each.sample.path, each.frames, each.wh) for each in pieces] == [(long, 30, (64, 48))]
    assert [each.reason for each in unused] == [
        "1.0 s are too short for a clip and a start",
        "no such file",
    ]
    assert progress == [(1, 3), (2, 3), (3, 3)]


def test_every_frame_size_has_its_recording_and_the_seed_its_order() -> None:
    pieces = [piece(n) for n in range(6)] + [piece(9, (320, 240))]
    small, large = plan_recordings(pieces, 0.5, seed=1)
    assert (small.wh, len(small.pieces), large.wh) == ((64, 48), 6, (320, 240))
    assert set(small.pieces) == set(pieces[:6])
    assert plan_recordings(pieces, 0.5, seed=1)[0] == small
    other = plan_recordings(pieces, 0.5, seed=2)[0]
    assert other.pieces != small.pieces
    assert other.name != small.name
    assert small.name.startswith("64x48-")


def test_a_seam_is_longer_than_a_gap_and_than_some_distances_of_frames() -> None:
    (usual,) = plan_recordings([piece(1), piece(2)], 0.5, seed=0)
    assert usual.seam_s > 0.5
    (slow,) = plan_recordings([piece(1), piece(2, step_s=0.5)], 0.5, seed=0)
    assert slow.seam_s > 3 * 0.5
