"""The mp4 has every frame at its time in its colours, and shows the events."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.outputs.alarm_drawing import SEVERITIES
from pipeline.outputs.annotated_video import AnnotatedVideoSink, Mp4Writer
from pipeline.outputs.drawing import ACTING
from pipeline.outputs.place_drawing import LINE, ZONE
from pipeline.rules.lines import Line
from pipeline.rules.stage import CameraRules
from pipeline.rules.zones import Zone
from pipeline.types import DecidedEnd, Image, LineCrossing, StreamEnd, ZoneState
from tests.pipeline.decided_items import (
    make_alarm_event,
    make_end,
    make_event,
    make_item,
    make_person,
)

# A lossy codec and yuv420p keep a flat area's colour to within a few steps.
CLOSE = 6


def flat(colour: tuple[int, int, int], width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), colour, np.uint8)


def decode(path: Path) -> tuple[list[float], list[Image]]:
    """Times in seconds and BGR images of a video."""
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return [frame.time for frame in frames], [to_bgr(frame) for frame in frames]


def to_bgr(frame: av.VideoFrame) -> Image:
    return np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def write_mp4(path: Path, images: list[tuple[Image, float]]) -> Path:
    height, width = images[0][0].shape[:2]
    writer = Mp4Writer(path, (width, height))
    for image, pts_s in images:
        writer.write(image, pts_s)
    writer.close()
    return path


@pytest.mark.parametrize("rate", [10.0, 25.0, 30000 / 1001, 60.0])
def test_every_frame_is_there_at_its_time(rate: float, tmp_path: Path) -> None:
    times_s = [5.0 + n / rate for n in range(40)]
    times_s[20:] = [time_s + 1.7 for time_s in times_s[20:]]  # a gap: variable frame rate

    path = write_mp4(tmp_path / "v.mp4", [(flat((0, 0, 0)), time_s) for time_s in times_s])

    decoded_s, _ = decode(path)
    assert decoded_s == pytest.approx([time_s - 5.0 for time_s in times_s], abs=1e-4)


@pytest.mark.parametrize("name", ["10:00.mp4", "-x.mp4", "%d.mp4", "pipe:1.mp4", "caf\udce9.mp4"])
def test_the_path_of_the_file_is_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mp4(Path(name), [(flat((0, 0, 0)), 0.0)])
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_error_of_the_video_library_names_the_output(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot write .*a\\x1b.mp4: "):
        Mp4Writer(tmp_path / "a\x1b.mp4", (20_000, 2)).write(flat((0, 0, 0), 20_000, 2), 0.0)


def test_times_that_do_not_grow_are_moved_on(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "v.mp4", [(flat((0, 0, 0)), t) for t in (0.0, 0.5, 0.5, 0.4, 1.0)])

    decoded_s, _ = decode(path)
    assert len(decoded_s) == 5
    assert decoded_s == sorted(set(decoded_s))
    assert decoded_s == pytest.approx([0.0, 0.5, 0.5, 0.5, 1.0], abs=1e-4)


@pytest.mark.parametrize("width", [64, 1280])  # players guess other matrices for SD and HD
@pytest.mark.parametrize(
    "colour", [(255, 255, 255), (0, 0, 0), (200, 40, 60), (30, 60, 220), (40, 200, 50)]
)
def test_colours_survive(colour: tuple[int, int, int], width: int, tmp_path: Path) -> None:
    image = flat(colour, width, width * 9 // 16)
    _, images = decode(write_mp4(tmp_path / "v.mp4", [(image, 0.0), (image, 0.1)]))

    for decoded in images:
        assert np.abs(decoded.astype(int) - image).max() <= CLOSE


def test_a_browser_can_play_it(tmp_path: Path) -> None:
    path = write_mp4(tmp_path / "v.mp4", [(flat((0, 0, 0)), n / 10) for n in range(5)])

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.codec_context.colorspace == 1  # BT.709, declared in the stream
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")  # faststart: plays while it loads


def test_odd_sides_are_padded_with_their_edge(tmp_path: Path) -> None:
    image = flat((200, 40, 60), 63, 47)
    _, images = decode(write_mp4(tmp_path / "v.mp4", [(image, 0.0)]))

    assert images[0].shape == (48, 64, 3)
    assert np.abs(images[0].astype(int) - (200, 40, 60)).max() <= CLOSE


def test_a_frame_of_another_size_is_scaled_to_the_first(tmp_path: Path) -> None:
    larger = flat((255, 255, 255), 128, 96)
    larger[:, :64] = 0
    path = write_mp4(tmp_path / "v.mp4", [(flat((0, 0, 0)), 0.0), (larger, 0.1)])

    _, images = decode(path)
    assert [decoded.shape for decoded in images] == [(48, 64, 3)] * 2
    assert images[1][:, :28].mean() < CLOSE
    assert images[1][:, 36:].mean() > 255 - CLOSE


def acting_fraction(image: Image) -> float:
    """Fraction of the pixels near the colour of an ongoing action."""
    return float((np.abs(image.astype(int) - ACTING).max(axis=2) < 30).mean())


def test_an_action_is_shown_from_its_start_to_its_end(tmp_path: Path) -> None:
    image = flat((90, 90, 90), 320, 240)
    person = make_person(7, (100, 120, 180, 220))
    events_by_frame = {
        2: make_event(1, "start"),
        4: make_event(2, "update"),
        6: make_event(3, "end", end_reason="below_threshold"),
    }
    with AnnotatedVideoSink(tmp_path) as sink:
        for n in range(9):
            events = [events_by_frame[n]] if n in events_by_frame else []
            sink.write(make_item(n, image=image, people=[person], events=events))

    _, images = decode(tmp_path / "gate.mp4")
    fractions = [acting_fraction(decoded) for decoded in images]
    assert len(fractions) == 9
    with_action, without = fractions[2:6], fractions[:2] + fractions[6:]
    assert min(with_action) > 0.005 > max(without)


def test_each_camera_has_its_own_video_and_its_own_actions(tmp_path: Path) -> None:
    image = flat((90, 90, 90), 320, 240)
    person = make_person(7, (100, 120, 180, 220))
    with AnnotatedVideoSink(tmp_path / "videos") as sink:
        sink.write(make_item(0, camera_id="a", image=image, people=[person], events=[make_event()]))
        sink.write(make_item(0, camera_id="b", image=image, people=[person]))
        sink.write(make_end("a"))
        assert len(decode(tmp_path / "videos" / "a.mp4")[0]) == 1  # complete at the camera's end
        sink.write(make_item(1, camera_id="b", image=image, people=[person]))
        sink.write(make_end("never seen"))

    _, (with_action,) = decode(tmp_path / "videos" / "a.mp4")
    _, without = decode(tmp_path / "videos" / "b.mp4")
    assert len(without) == 2
    assert acting_fraction(with_action) > 0.005 > acting_fraction(without[0])


def test_one_file_takes_one_camera_and_refuses_a_second(tmp_path: Path) -> None:
    sink = AnnotatedVideoSink(tmp_path / "out.mp4")
    sink.write(make_item(camera_id="a"))
    sink.write(make_end("a"))

    sink.write(make_item(camera_id="b"))
    sink.close()
    [error] = sink.errors
    assert "name a directory" in error
    assert len(decode(tmp_path / "out.mp4")[0]) == 1


def test_a_run_cut_short_leaves_a_video_that_plays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), AnnotatedVideoSink(tmp_path / "out.mp4") as sink:
        for n in range(7):
            sink.write(make_item(n))
        raise KeyboardInterrupt

    assert len(decode(tmp_path / "out.mp4")[0]) == 7


def test_a_video_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with AnnotatedVideoSink(tmp_path / "file" / "out.mp4") as sink:
        sink.write(make_item())
        sink.write(make_item(1))
    [error] = sink.errors
    assert error.startswith(f"cannot write {tmp_path}/file/out.mp4")


def test_a_video_that_fails_costs_itself_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """H.264 has a largest frame; another camera's video is written nevertheless."""
    too_wide = np.zeros((2, 40_000, 3), np.uint8)
    with AnnotatedVideoSink(tmp_path) as sink:
        for n in range(3):
            sink.write(make_item(n, camera_id="a", image=too_wide))
            sink.write(make_item(n, camera_id="b"))
        sink.write(make_end("a"))
        sink.write(make_end("b"))
    [error] = sink.errors
    assert str(tmp_path / "a.mp4") in error
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert len(decode(tmp_path / "b.mp4")[0]) == 3


def test_a_pause_of_hours_is_shortened_and_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    times_s = [0.0, 0.1, 59.0, 59.1, 25_200.0, 25_200.1, 90_000.0, 90_000.1]
    with caplog.at_level("INFO"):
        path = write_mp4(tmp_path / "v.mp4", [(flat((0, 0, 0)), t) for t in times_s])
    decoded_s, _ = decode(path)
    assert decoded_s == pytest.approx([0.0, 0.1, 59.0, 59.1, 61.1, 61.2, 63.2, 63.3], abs=1e-4)
    assert caplog.messages == [f"{path}: pauses shortened: 2, by 89937 s in all"]


def test_an_interruption_keeps_the_video_and_ends_the_actions(tmp_path: Path) -> None:
    image = flat((90, 90, 90), 320, 240)
    person = make_person(7, (100, 120, 180, 220))
    with AnnotatedVideoSink(tmp_path / "out.mp4") as sink:
        sink.write(make_item(0, image=image, people=[person], events=[make_event()]))
        ended = make_event(2, "end", end_reason="camera_down")
        sink.write(DecidedEnd(StreamEnd("gate", "stalled", at=1.0), (ended,)))
        sink.write(make_item(99, image=image, people=[person]))
    assert sink.errors == []
    _, (before, behind) = decode(tmp_path / "out.mp4")
    assert acting_fraction(before) > 0.005 > acting_fraction(behind)


def test_real_frames_are_drawn_and_keep_their_times(shared_data: Path, tmp_path: Path) -> None:
    with av.open(str(shared_data / "data" / "video" / "crowd_indoor.mp4")) as container:
        frames = [frame for frame, _ in zip(container.decode(video=0), range(30), strict=False)]
    with AnnotatedVideoSink(tmp_path) as sink:
        for n, frame in enumerate(frames):
            image = to_bgr(frame)
            people = [make_person(1, (50, 60, 120, 200))]
            sink.write(make_item(n, pts_s=frame.time, image=image, people=people))

    times_s, images = decode(tmp_path / "gate.mp4")
    assert times_s == pytest.approx([frame.time - frames[0].time for frame in frames], abs=1e-4)
    # Apart from the drawing, the image is that of the source but for the codec.
    source = to_bgr(frames[15])[:, 150:].astype(int)
    assert np.abs(images[15][:, 150:].astype(int) - source).mean() < CLOSE


def test_a_video_that_another_run_writes_is_refused_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    first = Mp4Writer(path, (64, 48))
    first.write(np.zeros((48, 64, 3), np.uint8), 0.0)
    with pytest.raises(PipelineError, match=r"out\.mp4: another run \(process \d+\)"):
        Mp4Writer(path, (64, 48))
    first.close()
    with av.open(str(path)) as video:
        assert sum(1 for _ in video.decode(video=0)) == 1
    Mp4Writer(path, (64, 48)).close()


def test_zones_lines_and_alarms_are_drawn_with_their_counts(tmp_path: Path) -> None:
    left = np.array([(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)])
    rules = CameraRules((Zone("left", left),), (Line("door", (0.75, 1.0), (0.75, 0.0)),))
    alarm = make_alarm_event(severity="critical", track_ids=())
    end = make_alarm_event(2, phase="end", severity="critical", track_ids=(), end_pts_s=1.0)
    grey = flat((128, 128, 128), 640, 480)
    crossing = LineCrossing("door", 7, "left_to_right")
    items = [
        replace(make_item(0, pts_s=0.0, image=grey), zones=(ZoneState("left", ()),)),
        replace(
            make_item(1, pts_s=1.0, image=grey, events=[alarm, end]),
            zones=(ZoneState("left", (7,), (7,)),),
            crossings=(crossing,),
        ),
        replace(make_item(2, pts_s=5.0, image=grey), zones=(ZoneState("left", (7,)),)),
    ]
    with AnnotatedVideoSink(tmp_path / "v.mp4", lambda camera_id: rules) as sink:
        for item in (*items, make_end()):
            sink.write(item)
    _, (empty, alarming, later) = decode(tmp_path / "v.mp4")
    assert (grey == 128).all()
    assert not close_to(empty, ACTING).any()
    assert close_to(empty, ZONE).any()
    assert close_to(empty[:, 480:], LINE).any()
    assert close_to(alarming[:, :330], ACTING).any()  # occupied
    assert close_to(alarming, SEVERITIES["critical"]).any()
    assert not close_to(later, SEVERITIES["critical"]).any()  # over for four seconds


def close_to(image: Image, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(image.astype(int) - colour) < 20).all(axis=2)
