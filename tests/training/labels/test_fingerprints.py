"""A video is known by its content."""

from __future__ import annotations

from pathlib import Path

from training.labels.fingerprints import READ_BYTES, fingerprints_of, video_fingerprint
from training.labels.samples import Sample


def test_a_copy_under_another_name_is_the_same_video(tmp_path: Path) -> None:
    content = bytes(range(256)) * 2000
    (tmp_path / "a.mp4").write_bytes(content)
    (tmp_path / "b.mp4").write_bytes(content)
    other = bytearray(content)
    other[-READ_BYTES] ^= 1  # the first of the last bytes that are read
    (tmp_path / "c.mp4").write_bytes(other)
    (tmp_path / "d.mp4").write_bytes(content[:-1])
    names = [video_fingerprint(tmp_path / f"{name}.mp4") for name in "abcd"]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    samples = [Sample(tmp_path / f"{name}.mp4", ("walk",)) for name in "aabx"]
    assert fingerprints_of(samples) == {names[0]}


def test_a_folder_of_frames_is_a_video(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"one")
    assert video_fingerprint(tmp_path / "a") == video_fingerprint(tmp_path / "b")
    (tmp_path / "b" / "2.jpg").write_bytes(b"two")
    assert video_fingerprint(tmp_path / "a") != video_fingerprint(tmp_path / "b")
