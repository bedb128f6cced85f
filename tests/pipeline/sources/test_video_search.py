from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from av.format import ContainerFormat

from pipeline.errors import SourceError
from pipeline.sources.video_files import VideoFile
from pipeline.sources.video_search import VIDEO_SUFFIXES, find_videos, search_folder

# FFmpeg's formats that hold video; their other extensions are of audio, subtitles and still images.
VIDEO_FORMATS = (
    "mov matroska avi flv h261 h263 h264 hevc vvc evc avs2 avs3 mjpeg mpjpeg dv dhav asf mpegts "
    "mpeg vob mxf gxf nut rm ivf amv yuv4mpegpipe ogv vc1 ifv ty kux obu vivo mpeg2video m4v"
)
NOT_VIDEO = {"m4a", "m4b", "isma", "mka", "mks", "wma", "heic", "heif", "avif", "avs", "mpo", "ra"}


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_every_ending_of_the_librarys_video_formats_is_searched_for() -> None:
    known = set(VIDEO_FORMATS.split()) & av.formats_available
    endings = {ending for name in known for ending in ContainerFormat(name).extensions}
    assert {f".{ending}" for ending in endings - NOT_VIDEO} <= VIDEO_SUFFIXES
    assert not VIDEO_SUFFIXES & {".txt", ".srt", ".jpg", ".png", ".mp3", ".wav", ".m4a", ".json"}


@pytest.mark.parametrize(
    "ending",
    ["264", "265", "h265", "dav", "asf", "mjpeg", "mjpg", "dv", "vob", "ts", "m2ts", "mts", "3gp"],
)
def test_what_recorders_write_is_found(tmp_path: Path, ending: str) -> None:
    [video] = find_videos([str(touch(tmp_path, f"gate.{ending}"))])
    assert video == VideoFile("gate", tmp_path / f"gate.{ending}")


def test_a_directory_gives_its_videos_sorted_and_nothing_else(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a.AVI", "notes.txt", "._b.mp4")
    assert find_videos([str(tmp_path)]) == (
        VideoFile("a", tmp_path / "a.AVI"),
        VideoFile("b", tmp_path / "b.mp4"),
    )


def test_what_a_directory_holds_beside_its_videos_is_named_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a.mp4", "1.jpg", "2.jpg", "3.jpg", "\x1b[2J.srt", "x.mp4/b.mp4", "cam2/c.mp4")
    with caplog.at_level(logging.WARNING):
        find_videos([str(tmp_path)])
    assert [record.getMessage() for record in caplog.records] == [
        rf"{tmp_path}: left out 4 files (3 .jpg, 1 .srt: \x1b[2J.srt, 1.jpg, 2.jpg, ...) and "
        "2 folders (cam2, x.mp4; --recursive reads them)"
    ]


def test_a_directory_of_videos_alone_needs_no_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    find_videos([str(touch(tmp_path, "a.mp4", "b.dav"))])
    assert not caplog.records


def test_a_recorders_tree_is_read_to_its_full_depth_where_that_is_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "cam1/2026-11-25/10/a.mp4", "cam2/b.mp4", "c.mp4", ".trash/d.mp4", "cam2/e.db")
    with caplog.at_level(logging.WARNING):
        videos = find_videos([str(tmp_path)], recursive=True)
    assert [video.camera_id for video in videos] == ["c", "cam1-2026-11-25-10-a", "cam2-b"]
    assert "1 file (1 .db: cam2/e.db)" in caplog.text


def test_symbolic_links_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "tree/cam/a.mp4", "disk2/b.mp4")
    (tmp_path / "tree/loop").symlink_to(tmp_path / "tree")
    (tmp_path / "tree/cam/up").symlink_to("..")
    (tmp_path / "tree/other").symlink_to(tmp_path / "disk2")
    (tmp_path / "tree/itself").symlink_to("itself")
    search = search_folder(tmp_path / "tree", recursive=True)
    assert [path.name for path in search.videos] == ["a.mp4", "b.mp4"]


def test_a_folder_that_cannot_be_listed_is_an_error_and_one_below_it_a_file_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a.mp4", "locked/b.mp4")
    locked, scandir = tmp_path / "locked", os.scandir

    def refuse(folder: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(folder) == locked:  # root may list every folder
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(SourceError, match=r"locked: cannot list this folder \(Permission denied\)"):
        find_videos([str(locked)])
    assert not caplog.records
    videos = find_videos([str(tmp_path)], recursive=True)
    assert [video.path for video in videos] == [tmp_path / "a.mp4", locked]
    assert f"{locked}: cannot list this folder (Permission denied)" in caplog.text


def test_a_glob_gives_its_matches_sorted(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a.mp4", "c.avi")
    assert [v.camera_id for v in find_videos([f"{tmp_path}/*.mp4"])] == ["a", "b"]


def test_a_glob_that_matches_directories_searches_them_as_a_shell_would_make_it(
    tmp_path: Path,
) -> None:
    touch(tmp_path, "day1/gate.mp4", "day2/gate.mp4")
    assert [v.camera_id for v in find_videos([f"{tmp_path}/day*"])] == ["gate", "gate-2"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    touch(tmp_path, "a[1]*?.mp4", "a1xx.mp4")
    [video] = find_videos([f"{tmp_path}/a[1]*?.mp4"])
    assert video.path.name == "a[1]*?.mp4"


def test_a_tilde_in_a_path_and_in_a_pattern_is_the_home_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(touch(tmp_path, "a.mp4")))
    assert [v.path for v in find_videos(["~/a.mp4", "~/*.mp4"])] == [tmp_path / "a.mp4"] * 2


def test_files_of_the_same_name_are_different_cameras() -> None:
    videos = find_videos(["day1/gate.mp4", "day2/gate.mp4", "day3/gate.mp4"])
    assert [video.camera_id for video in videos] == ["gate", "gate-2", "gate-3"]


def test_no_two_cameras_share_an_id_whatever_the_files_are_called(tmp_path: Path) -> None:
    videos = find_videos(["gate-2.mp4", "a/gate.mp4", "b/gate.mp4", "c/gate-2.mp4"])
    assert len({video.camera_id for video in videos}) == 4
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9.mp4", os.O_CREAT))
    touch(tmp_path, r"caf\xe9.mp4")
    assert {v.camera_id for v in find_videos([str(tmp_path)])} == {r"caf\xe9", r"caf\xe9-2"}


def test_a_name_that_is_too_long_fails_when_it_is_read_and_not_before() -> None:
    assert len(find_videos(["x" * 5000 + ".mp4", "a.mp4"])) == 2


@pytest.mark.parametrize("what", ["", "/*.mp4"])
def test_a_place_without_videos_is_named(tmp_path: Path, what: str) -> None:
    with pytest.raises(SourceError, match=str(tmp_path)):
        find_videos([f"{tmp_path}{what}"])


def test_what_a_place_without_videos_holds_instead_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "2026/11/a.mp4", "b.txt")
    with pytest.raises(SourceError, match=r"1 file \(1 .txt: b.txt\) and 1 folder \(2026; --rec"):
        find_videos([str(tmp_path)])


def test_a_stream_is_asked_for_behind_the_path(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    [video] = find_videos([f"{tmp_path}/a.mp4?stream=1"])
    assert (video.camera_id, video.path, video.stream) == ("a", tmp_path / "a.mp4", 1)
    assert [video.stream for video in find_videos([f"{tmp_path}/*.mp4?stream=2"])] == [2, 2]


def test_a_file_whose_name_looks_like_an_option_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4?stream=1"
    path.touch()
    [video] = find_videos([str(path)])
    assert (video.path, video.stream) == (path, None)
