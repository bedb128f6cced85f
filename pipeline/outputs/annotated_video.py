"""Annotated videos: one H.264 mp4 per camera, playable in a browser, with boxes and actions."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from pipeline.errors import PipelineError
from pipeline.events import ActionEvent, AlarmEvent
from pipeline.outputs.alarm_drawing import draw_alarms
from pipeline.outputs.drawing import Canvas, draw_frame
from pipeline.outputs.output_lock import lock_output
from pipeline.outputs.place_drawing import count_label, draw_line, draw_zone
from pipeline.outputs.sinks import CameraFilesSink, file_name, is_one_video, writing
from pipeline.paths import ffmpeg_url
from pipeline.printable import printable
from pipeline.rules.stage import CameraRules
from pipeline.runtime.private_files import open_private
from pipeline.types import DecidedEnd, DecidedFrame, Image, TrackedFrame

log = logging.getLogger(__name__)

_TIME_BASE = Fraction(1, 90_000)  # the MPEG clock: exact for 10, 25, 29.97 and 60 frames a second
_NOMINAL_RATE = 30  # for the encoder's level and rate control; frames carry their exact times
_BT709 = 1  # H.264's number of this matrix, these primaries and this transfer curve
_QUALITY = 23

# Nobody watches an empty frame for longer, and mp4 has no distance of more than 6.6 hours.
LONGEST_PAUSE_S, _SHORT_PAUSE_S = 60.0, 2.0

_LISTED_EVENTS = 4
_LISTED_S = 6.0  # media time that an event stays in the list, seconds
_ALARM_STAYS_S = 3.0  # media time that an alarm is shown after its end, seconds


class AnnotatedVideoSink(CameraFilesSink):
    """Draw the published events, each from the frame at which it was decided.

    A file is created with its camera's first frame. A gap of more than `LONGEST_PAUSE_S` is
    shortened; the drawn media time is that of the recording.

    Args:
        target: `FILE.mp4` for a run of one camera, else a directory for `<camera_id>.mp4`.
        rules_of: returns the zones and lines of a camera, which are drawn with their counts.
    """

    def __init__(
        self,
        target: Path,
        rules_of: Callable[[str], CameraRules] = lambda camera_id: CameraRules(),
    ) -> None:
        super().__init__()
        self._target, self._rules_of = target, rules_of
        self._one_file = is_one_video(target)
        self._cameras: dict[str, _CameraVideo] = {}
        self._files_made = 0

    def _write(self, item: DecidedFrame | DecidedEnd) -> None:
        """Draw and encode a frame; close a camera's file at its end."""
        camera_id = item.camera_id
        if isinstance(item, DecidedEnd):
            if not item.end.is_final and camera_id in self._cameras:
                self._cameras[camera_id].take_events(item)
            elif camera_id in self._cameras:
                self._cameras.pop(camera_id).close()
            return
        if camera_id not in self._cameras:
            self._cameras[camera_id] = self._open(camera_id, item)
        self._cameras[camera_id].write(item)

    def close(self) -> None:
        """Complete all files, which are playable also after an error; see `Sink.close`."""
        while self._cameras:
            camera_id, video = self._cameras.popitem()
            with self._costing_itself(camera_id):
                video.close()

    def _open(self, camera_id: str, item: DecidedFrame) -> _CameraVideo:
        if not self._one_file:
            path = self._target / file_name(camera_id, ".mp4")
        elif self._files_made == 0:
            path = self._target
        else:
            raise PipelineError(f"{self._target} is one file: name a directory for several videos")
        self._files_made += 1
        return _CameraVideo(Mp4Writer(path, item.tracked.frame.wh), self._rules_of(camera_id))


class _CameraVideo:
    """One camera's file, its ongoing actions and alarms, and the counts of its lines."""

    def __init__(self, writer: Mp4Writer, places: CameraRules) -> None:
        self._writer, self._places = writer, places
        self._crossings = Counter[tuple[str, str]]()  # by line and direction
        self._alarms: dict[str, AlarmEvent] = {}  # newest event by alarm id, in start order
        self._running: dict[str, ActionEvent] = {}  # newest event by instance id, in start order
        self._latest: deque[ActionEvent] = deque(maxlen=_LISTED_EVENTS)

    def take_events(self, item: DecidedFrame | DecidedEnd) -> None:
        for event in item.events:
            if isinstance(event, AlarmEvent):
                self._alarms[event.alarm_id] = event
            if not isinstance(event, ActionEvent):
                continue
            if event.kind == "end":
                self._running.pop(event.instance_id, None)
            else:
                self._running[event.instance_id] = event
            if event.kind != "update":
                self._latest.append(event)

    def write(self, item: DecidedFrame) -> None:
        pts_s = item.tracked.frame.pts_s
        self.take_events(item)
        while self._latest and self._latest[0].end_pts_s < pts_s - _LISTED_S:
            self._latest.popleft()
        actions: dict[int, list[ActionEvent]] = {}
        of_groups: dict[int, list[ActionEvent]] = {}
        for event in self._running.values():
            if event.track_id is not None:
                first_id = (event.track_ids or event.people)[0]
                actions.setdefault(first_id, []).append(event)
            elif event.group_id is not None:
                of_groups.setdefault(event.group_id, []).append(event)
        drawn = draw_frame(self._with_places(item), actions, tuple(self._latest), of_groups)
        if alarms := self._shown_alarms(pts_s):
            draw_alarms(drawn, alarms, item.tracked.people)
        self._writer.write(drawn, pts_s)

    def _with_places(self, item: DecidedFrame) -> TrackedFrame:
        """Return the frame with its zones and lines drawn, below everything else."""
        tracked, places = item.tracked, self._places
        for crossing in item.crossings:
            self._crossings[crossing.line, crossing.direction] += 1
        if not (places.zones or places.lines):
            return tracked
        canvas = Canvas(tracked.frame.image.copy())
        people = {state.zone: len(state.inside) for state in item.zones}
        for line in places.lines:
            draw_line(canvas, line, count_label(line, self._crossings))
        for zone in places.zones:
            count = people.get(zone.name, 0)
            draw_zone(canvas, zone, f"{zone.name} {count}", is_occupied=count > 0)
        return replace(tracked, frame=replace(tracked.frame, image=canvas.image))

    def _shown_alarms(self, pts_s: float) -> list[AlarmEvent]:
        """Return the ongoing alarms, and those that are over for a few seconds."""
        self._alarms = {
            name: alarm
            for name, alarm in self._alarms.items()
            if alarm.is_open or alarm.end_pts_s >= pts_s - _ALARM_STAYS_S
        }
        return list(self._alarms.values())

    def close(self) -> None:
        self._writer.close()


@contextmanager
def _encoding(path: Path) -> Iterator[None]:
    """Convert an error of the system or of the video library to one that names the output."""
    try:
        with writing(path):
            yield
    except av.error.FFmpegError as error:  # those of the system are OSErrors as well
        raise PipelineError(f"cannot write {printable(str(path))}: {error.strerror}") from error


class Mp4Writer:
    """Write an H.264 yuv420p file with exact frame times and its index first (faststart).

    Args:
        path: the file; its folder is created.
        wh: width and height of the images in pixels; odd sides are padded, as yuv420p requires.
        quality: crf of x264; smaller is better and larger.

    Raises:
        PipelineError: if the file cannot be created.
    """

    def __init__(self, path: Path, wh: tuple[int, int], *, quality: int = _QUALITY) -> None:
        self._path = path
        self._wh = wh
        self._first_pts_s: float | None = None
        self._newest_pts_s = 0.0
        self._cut_s, self._cuts = 0.0, 0  # left out of pauses, seconds; and their number
        self._last_tick = -1
        self._lock = ExitStack()  # held until the file is complete
        with _encoding(path):
            if (lock := lock_output(path)) is not None:
                self._lock.enter_context(lock)
            open_private(path, "wb").close()
            self._container = av.open(
                ffmpeg_url(path), "w", format="mp4", options={"movflags": "+faststart"}
            )
        options = {"preset": "veryfast", "crf": str(quality)}
        self._stream = self._container.add_stream("libx264", rate=_NOMINAL_RATE, options=options)
        self._stream.width, self._stream.height = (side + side % 2 for side in wh)
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = _TIME_BASE
        # Declared in the stream: else players guess the matrix from the size, and colours shift.
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG

    def write(self, image: Image, pts_s: float) -> None:
        """Append an image.

        Args:
            image: uint8 (H, W, 3) BGR; another size than the first is scaled to it.
            pts_s: presentation time, seconds; the first one becomes zero in the file, one that
                does not increase is moved by the smallest possible step, and a distance of more
                than `LONGEST_PAUSE_S` is shortened.

        Raises:
            PipelineError: if the file cannot be written.
        """
        if self._first_pts_s is None:
            self._first_pts_s = self._newest_pts_s = pts_s
        pause_s, self._newest_pts_s = pts_s - self._newest_pts_s, pts_s
        if pause_s > LONGEST_PAUSE_S:
            self._cut_s += pause_s - _SHORT_PAUSE_S
            self._cuts += 1
        shown_s = pts_s - self._first_pts_s - self._cut_s
        tick = max(round(shown_s / _TIME_BASE), self._last_tick + 1)
        self._last_tick = tick
        frame = av.VideoFrame.from_ndarray(self._fit(image), format="bgr24").reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = tick, _TIME_BASE
        with _encoding(self._path):
            self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Write the frames that the encoder has buffered, and the index."""
        with self._lock, _encoding(self._path):
            try:
                if self._last_tick >= 0:
                    self._container.mux(self._stream.encode(None))
            finally:
                self._container.close()
        if self._cuts:
            shown = printable(str(self._path))
            log.info("%s: pauses shortened: %d, by %.0f s in all", shown, self._cuts, self._cut_s)

    def _fit(self, image: Image) -> Image:
        width, height = self._wh
        if image.shape[:2] != (height, width):
            image = np.asarray(cv2.resize(image, self._wh, interpolation=cv2.INTER_AREA), np.uint8)
        if width % 2 or height % 2:
            image = np.asarray(
                cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE),
                np.uint8,
            )
        return image
