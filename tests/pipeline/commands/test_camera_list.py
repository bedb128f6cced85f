from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from pipeline.commands.camera_list import find_cameras, past_schedules, unused_settings
from pipeline.config.live import CameraConfig
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError
from pipeline.live.camera_source import CameraSource

SECRET = "hunter2"
URL = f"rtsp://viewer:{SECRET}@10.0.0.9/main"


def configured(tmp_path: Path, text: str) -> PipelineConfig:
    path = tmp_path / "cameras.yaml"
    path.write_text(text)
    return load_config(path)


def find(
    *arguments: str,
    cameras: dict[str, CameraConfig] | None = None,
    environment: dict[str, str] | None = None,
    realtime: bool = False,
    **live: Any,
) -> tuple[CameraSource, ...]:
    common = load_config().live.model_copy(update=live)
    return find_cameras(arguments, common, cameras or {}, environment or {}, realtime=realtime)


def test_cameras_of_the_command_line_come_before_those_of_the_configuration() -> None:
    found = find("0", "rtsp://h/x", cameras={"yard": CameraConfig(url="rtsp://h/y")})
    assert [one.camera_id for one in found] == ["webcam-0", "h-x", "yard"]


def test_no_camera_at_all_is_an_error() -> None:
    with pytest.raises(ConfigError, match="no camera: name one"):
        find()


def test_what_a_camera_does_not_set_is_as_in_the_section_live() -> None:
    yard = CameraConfig(url="rtsp://h/y")
    for source in find(
        "rtsp://h/x", cameras={"yard": yard}, transport="udp", verify_tls=False, detect_fps=3.0
    ):
        assert (source.transport, source.verify_tls, source.detect_fps) == ("udp", False, 3.0)


def test_a_camera_may_differ_from_the_section_live() -> None:
    yard = CameraConfig(url="rtsps://h/y", transport="udp", verify_tls=False, detect_fps=2.5)
    [source] = find(cameras={"yard": yard}, transport="tcp", verify_tls=True, detect_fps=10.0)
    assert (source.transport, source.verify_tls, source.detect_fps) == ("udp", False, 2.5)
    yard = CameraConfig(url="rtsps://h/y", transport="tcp", verify_tls=True)
    [source] = find(cameras={"yard": yard}, transport="udp", verify_tls=False, detect_fps=None)
    assert (source.transport, source.verify_tls, source.detect_fps) == ("tcp", True, None)


def test_a_name_of_the_command_line_that_the_configuration_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="camera yard: there are two of this name"):
        find("yard=0", cameras={"yard": CameraConfig(url="rtsp://h/y")})


def test_a_default_name_makes_way_for_the_configuration() -> None:
    found = find("rtsp://h/x", cameras={"h-x": CameraConfig(url="rtsp://h/y")})
    assert [(one.camera_id, one.url) for one in found] == [
        ("h-x-2", "rtsp://h/x"),
        ("h-x", "rtsp://h/y"),
    ]


def test_a_password_comes_from_the_environment() -> None:
    gate = CameraConfig(url="rtsp://h/x", username="viewer", password_env="GATE")
    [source] = find(cameras={"gate": gate}, environment={"GATE": "p@ss/#word"})
    assert source.url == "rtsp://viewer:p%40ss%2F%23word@h/x"


def test_a_password_comes_from_a_file_without_its_line_end(tmp_path: Path) -> None:
    secret = tmp_path / "gate.secret"
    secret.write_text("pass word\n")
    gate = CameraConfig(url="rtsp://h/x", username="viewer", password_file=secret)
    [source] = find(cameras={"gate": gate})
    assert source.url == "rtsp://viewer:pass%20word@h/x"


@pytest.mark.parametrize("environment", [{}, {"GATE": ""}])
def test_a_variable_that_is_not_there_is_named(environment: dict[str, str]) -> None:
    gate = CameraConfig(url="rtsp://h/x", username="viewer", password_env="GATE")
    with pytest.raises(ConfigError, match=r"cameras\.gate\.password_env: .* no variable GATE"):
        find(cameras={"gate": gate}, environment=environment)


@pytest.mark.parametrize("content", [None, ""])
def test_a_password_file_that_is_not_there_or_empty_is_named(
    tmp_path: Path, content: str | None
) -> None:
    secret = tmp_path / "gate.secret"
    if content is not None:
        secret.write_text(content)
    gate = CameraConfig(url="rtsp://h/x", username="viewer", password_file=secret)
    with pytest.raises(ConfigError, match=r"cameras\.gate\.password_file: .*gate\.secret"):
        find(cameras={"gate": gate})


def test_a_password_needs_one_place_and_a_user(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="not both"):
        CameraConfig(url="rtsp://h/x", username="v", password_env="A", password_file=tmp_path)
    with pytest.raises(ValidationError, match="needs a username"):
        CameraConfig(url="rtsp://h/x", password_env="A")


def test_the_configuration_never_shows_credentials(tmp_path: Path) -> None:
    config = configured(tmp_path, f"cameras: {{gate: {{url: '{URL}'}}}}")
    assert config.cameras["gate"].url == URL
    for shown in (repr(config), str(config), repr(config.cameras), config.model_dump_json()):
        assert SECRET not in shown
    assert "rtsp://***@10.0.0.9/main" in config.model_dump_json()


def test_a_mistake_beside_an_url_does_not_show_it(tmp_path: Path) -> None:
    for mistake in ("password_env: A", "detect_fps: -1", "colour: red", "username: [1]"):
        with pytest.raises(ConfigError, match=r"cameras\.gate") as caught:
            configured(tmp_path, f"cameras: {{gate: {{url: '{URL}', {mistake}}}}}")
        assert SECRET not in str(caught.value)


def test_a_user_both_in_the_url_and_beside_it_is_refused() -> None:
    gate = CameraConfig(url=URL, username="viewer")
    with pytest.raises(ConfigError, match="camera gate: a user both in its url") as caught:
        find(cameras={"gate": gate})
    assert SECRET not in str(caught.value)


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("street.mp4").write_bytes(b"x")
    return "street.mp4"


@pytest.mark.parametrize("prefix", ["", "./", "night="])
def test_a_plain_file_is_explained(video: str, prefix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find(f"{prefix}{video}")
    path = f"{prefix}{video}".removeprefix("night=")
    assert f"{path}: a file is recorded: `replay` reads it whole" in str(caught.value)
    assert f"`{path}?live` or --realtime" in str(caught.value)


def test_what_looks_like_a_file_may_be_a_camera_without_its_scheme() -> None:
    with pytest.raises(ConfigError, match="a file is recorded") as caught:
        find(f"viewer:{SECRET}@10.0.0.9/main")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "./", "night="])
def test_realtime_plays_a_plain_file_like_a_camera(video: str, prefix: str) -> None:
    [source] = find(f"{prefix}{video}", realtime=True)
    assert source.kind == "file"
    assert source.camera_id == ("night" if prefix == "night=" else "street")
    assert Path(source.url) == Path(video)
    assert (source.loop, source.speed) == (False, 1.0)


def test_realtime_changes_nothing_else(video: str) -> None:
    arguments = (f"{video}?live&loop&speed=2", "rtsp://h/x", "0")
    assert find(*arguments, realtime=True) == find(*arguments)


def test_an_equals_sign_in_a_query_gives_no_name() -> None:
    [source] = find("rtsp://h/x?a=b")
    assert (source.camera_id, source.url) == ("h-x", "rtsp://h/x?a=b")


def test_a_password_of_the_configuration_reaches_the_camera() -> None:
    gate = CameraConfig(url="rtsp://h/x", username="viewer", password=SecretStr(SECRET))
    [source] = find(cameras={"gate": gate})
    assert source.url == f"rtsp://viewer:{SECRET}@h/x"


def test_a_camera_of_the_command_line_has_the_settings_of_its_name() -> None:
    gate = CameraConfig(username="viewer", password=SecretStr(SECRET), detect_fps=4.0)
    [source] = find("gate=rtsp://h/x", cameras={"gate": gate})
    assert (source.url, source.detect_fps) == (f"rtsp://viewer:{SECRET}@h/x", 4.0)
    [source] = find("rtsp://h/x", cameras={"h-x": CameraConfig(detect_fps=4.0)})
    assert (source.camera_id, source.detect_fps) == ("h-x", 4.0)


def test_settings_of_a_camera_that_has_no_source_are_an_error_naming_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        find("gate=rtsp://h/x", cameras={"gaet": CameraConfig(), "yard": CameraConfig(url="0")})
    assert str(caught.value) == (
        "cameras.gaet: it has no url, and the command line names no such camera: add one, or "
        "start with gaet=SOURCE (known: gate, yard)"
    )


def test_settings_that_no_recording_uses_are_listed_unless_they_are_of_a_live_camera() -> None:
    cameras = {"street": CameraConfig(), "gaet": CameraConfig(), "yard": CameraConfig(url="0")}
    assert unused_settings(cameras, ["street", "gate"]) == [
        "cameras.gaet: not used; the recordings are of street, gate"
    ]


def test_a_schedule_whose_days_are_over_is_named_once_its_last_night_has_passed(
    tmp_path: Path,
) -> None:
    config = configured(
        tmp_path,
        "schedules:\n"
        "  night: {timezone: Europe/Vienna, times: [22:00-06:00]}\n"
        "  eve: {timezone: Europe/Vienna, times: [22:00-06:00], dates: [2026-12-31]}\n",
    )
    assert past_schedules(config, datetime(2027, 1, 1, 4, tzinfo=UTC)) == []
    assert past_schedules(config, datetime(2027, 1, 2, 4, tzinfo=UTC)) == [
        "schedules.eve: its last day, 2026-12-31, is over: rules with it raise no alarm"
    ]
