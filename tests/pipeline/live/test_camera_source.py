from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.live.camera_source import CameraSource, parse_source, split_names

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("rtsp://10.0.0.9/main", "rtsp"),
        ("rtsps://10.0.0.9:322/main", "rtsp"),
        ("http://10.0.0.9/video.mjpg", "http"),
        ("https://cams.example/live.m3u8?token=1", "http"),
        ("rtmp://10.0.0.9/live/key", "rtmp"),
        ("rtmps://10.0.0.9/live/key", "rtmp"),
    ],
)
def test_a_url_is_of_the_kind_of_its_scheme_and_stays_as_it_is(text: str, kind: str) -> None:
    source = parse_source(text, "gate")
    assert (source.camera_id, source.kind, source.url) == ("gate", kind, text)


@pytest.mark.parametrize(
    "given", ["RTSP://10.0.0.9/Main", "Rtsp://viewer:Pw@10.0.0.9/Main", "HTTPS://cam/A.m3u8"]
)
def test_a_scheme_may_be_in_capitals_which_ffmpeg_does_not_know(given: str) -> None:
    scheme, _, rest = given.partition("://")
    assert parse_source(given, "gate").url == f"{scheme.lower()}://{rest}"


def test_a_number_is_a_webcam() -> None:
    source = parse_source("2", "desk", detect_fps=5.0)
    assert (source.kind, source.url, source.detect_fps) == ("webcam", "/dev/video2", 5.0)


def test_a_files_name_is_a_path_with_colons_equal_signs_and_question_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    names = ["10:00:00.mp4", "a=b.mp4", "what?.mp4", "caf\udce9.mp4"]
    for name in names:
        (tmp_path / name).touch()
    sources = split_names(f"{name}?live" for name in names)
    assert list(sources) == ["10:00:00", "a=b", "what?", r"caf\xe9"]
    assert [parse_source(text, name).url for name, text in sources.items()] == names
    assert parse_source("~/a=b.mp4?live", "gate").url == f"{tmp_path}/a=b.mp4"


@pytest.mark.parametrize("text", ["ftp://h/x", "file:///a.mp4", "redis://h", "srt://h:1", "://x"])
def test_another_scheme_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"camera gate: .*expected rtsp://host/path"):
        parse_source(text, "gate")


@pytest.mark.parametrize("text", ["rtsp://", "rtsp:///main", "rtsp://:554/main", "http://?x=1"])
def test_a_url_without_a_host_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"camera gate: .*names no host"):
        parse_source(text, "gate")


@pytest.mark.parametrize("text", ["rtsp://host:port/x", "rtsp://host:99999/x", "rtsp://[::1/x"])
def test_what_is_no_url_is_refused_with_advice(text: str) -> None:
    with pytest.raises(ConfigError, match=r"camera gate: .*not a URL.*password_file"):
        parse_source(text, "gate")


def test_what_is_given_beside_the_url_is_kept() -> None:
    source = parse_source("rtsps://h/x", "gate", transport="udp", verify_tls=False, detect_fps=2.5)
    assert (source.transport, source.verify_tls, source.detect_fps) == ("udp", False, 2.5)


def test_equal_texts_are_equal_sources_and_any_difference_counts() -> None:
    first = parse_source("rtsp://h/x", "gate", username="a", password="b")
    assert first == parse_source("rtsp://h/x", "gate", username="a", password="b")
    assert first != parse_source("rtsp://h/x", "gate", username="a", password="c")
    assert first != parse_source("rtsp://h/x", "gate", username="a", password="b", detect_fps=1.0)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://10.0.0.9/main", "rtsp://viewer:pw@10.0.0.9/main"),
        ("rtsp://10.0.0.9:8554/a/b?c=d&e", "rtsp://viewer:pw@10.0.0.9:8554/a/b?c=d&e"),
        ("rtsp://[fe80::1]/main", "rtsp://viewer:pw@[fe80::1]/main"),
        ("rtsp://[fe80::1%25eth0]:554/main", "rtsp://viewer:pw@[fe80::1%25eth0]:554/main"),
        ("http://cam.local", "http://viewer:pw@cam.local"),
    ],
)
def test_user_and_password_are_put_into_the_url(url: str, expected: str) -> None:
    assert parse_source(url, "gate", username="viewer", password="pw").url == expected


@pytest.mark.parametrize(
    ("password", "escaped"),
    [
        ("a@b", "a%40b"),
        ("a/b", "a%2Fb"),
        ("a:b", "a%3Ab"),
        ("a#b", "a%23b"),
        ("a b", "a%20b"),
        ("a?b&c=d", "a%3Fb%26c%3Dd"),
        ("50%", "50%25"),
        ("pässword", "p%C3%A4ssword"),
        ("[x]", "%5Bx%5D"),
    ],
)
def test_special_characters_are_escaped(password: str, escaped: str) -> None:
    source = parse_source("rtsp://h/x", "gate", username="viewer", password=password)
    assert source.url == f"rtsp://viewer:{escaped}@h/x"


def test_a_user_is_escaped_too_and_needs_no_password() -> None:
    assert parse_source("rtsp://h/x", "gate", username="a@b:c").url == "rtsp://a%40b%3Ac@h/x"


_NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(user=_NAMES, password=_NAMES)
def test_any_user_and_password_can_be_read_back(user: str, password: str) -> None:
    source = parse_source("rtsp://[::1]:8554/x", "gate", username=user, password=password)
    parts = urlsplit(source.url)
    assert unquote(parts.username or "") == user
    assert unquote(parts.password or "") == password
    assert (parts.hostname, parts.port, parts.path) == ("::1", 8554, "/x")
    assert source.shown == "rtsp://***@[::1]:8554/x"


def test_a_user_both_in_the_url_and_beside_it_is_refused() -> None:
    with pytest.raises(ConfigError, match="camera gate: a user both") as caught:
        parse_source(f"rtsp://me:{SECRET}@h/x", "gate", username="viewer", password="other")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"rtsp://viewer:{SECRET}@h/x",
        f"rtsp://h/user=viewer&password={SECRET}&channel=1",
        f"http://h/video?user=viewer&pwd={SECRET}",
    ],
)
def test_credentials_never_show(text: str) -> None:
    source = parse_source(text, "gate")
    assert SECRET in source.url
    for shown in (repr(source), str(source), source.shown):
        assert SECRET not in shown


@pytest.mark.parametrize(
    "text",
    [
        f"ftp://viewer:{SECRET}@h/x",
        f"rtsp//viewer:{SECRET}@h/x",
        f"rtsp:viewer:{SECRET}@h",
        f"viewer:{SECRET}@10.0.0.9/main",
        f"viewer:{SECRET}?x@10.0.0.9/main",
        f"viewer:x?{SECRET}@10.0.0.9/main",
        f"rtsp://viewer:{SECRET}@",
        f"rtsp://viewer:{SECRET}/x@h/y",
        f"rtsp://viewer:{SECRET}#x@h/y",
        f"rtsp://viewer:{SECRET}?x@h/y",
        f"rtsp://viewer:[{SECRET}]@h/y",
        f"rtsp://viewer:{SECRET}\u2100@h/y",
        f"rtsp://viewer:{SECRET}@h:port/y",
    ],
)
def test_credentials_never_show_in_a_message(text: str) -> None:
    for name in ("gate", next(iter(split_names([text])))):
        with pytest.raises(ConfigError) as caught:
            parse_source(text, name)
        assert SECRET not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "street.mp4"
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    ("query", "loop", "speed"),
    [
        ("", False, 1.0),
        ("?live", False, 1.0),
        ("?live&loop", True, 1.0),
        ("?live&loop&speed=2.5", True, 2.5),
        ("?speed=0.5&live", False, 0.5),
    ],
)
def test_a_file_is_played_like_a_camera(video: Path, query: str, loop: bool, speed: float) -> None:
    source = parse_source(f"{video}{query}", "street", detect_fps=4.0)
    assert source == CameraSource(
        "street", "file", str(video), detect_fps=4.0, loop=loop, speed=speed
    )


def test_a_path_may_have_a_question_mark_in_it(tmp_path: Path) -> None:
    path = tmp_path / "who?.mp4"
    path.write_bytes(b"x")
    assert parse_source(f"{path}?live&loop", "who").url == str(path)


@pytest.mark.parametrize("speed", ["0", "-1", "fast", "inf", "nan", ""])
def test_a_speed_that_cannot_be_is_refused(video: Path, speed: str) -> None:
    with pytest.raises(ConfigError, match=f"camera street: speed={speed}: expected a number"):
        parse_source(f"{video}?live&speed={speed}", "street")


@pytest.mark.parametrize("query", ["?life", "?live&lop", "?live&speeed=2"])
def test_an_option_that_there_is_not_is_refused(video: Path, query: str) -> None:
    with pytest.raises(ConfigError, match=r"camera street: .*expected rtsp://"):
        parse_source(f"{video}{query}", "street")


@pytest.mark.parametrize("text", ["no/such.mp4?live", "nothing", "/"])
def test_a_file_that_is_not_there_is_named(text: str) -> None:
    path = text.removesuffix("?live")
    with pytest.raises(ConfigError, match=f"camera x: {path}: no such file; expected"):
        parse_source(text, "x")


@pytest.mark.parametrize("text", ["", "?live"])
def test_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="expected rtsp://"):
        parse_source(text, "x")


@pytest.mark.parametrize(
    ("argument", "name", "text"),
    [
        ("gate=rtsp://h/x?a=b", "gate", "rtsp://h/x?a=b"),
        ("gate=RTSP://h/x", "gate", "RTSP://h/x"),
        ("front-door_1.a=rtsps://u:p=q@h/x", "front-door_1.a", "rtsps://u:p=q@h/x"),
        ("desk=0", "desk", "0"),
        ("street=/a/b.mp4?live", "street", "/a/b.mp4?live"),
        ("street=./b.mp4?live&loop", "street", "./b.mp4?live&loop"),
        ("street=b.mp4?live&speed=2", "street", "b.mp4?live&speed=2"),
        ("street=b.mp4", "street", "b.mp4"),
        ("street=clips/b.mp4", "street", "clips/b.mp4"),
    ],
)
def test_a_name_stands_before_an_equals_sign(argument: str, name: str, text: str) -> None:
    assert split_names([argument]) == {name: text}


@pytest.mark.parametrize(
    "argument",
    [
        "rtsp://h/x?a=b",
        "rtsp://h/user=me&channel=1",
        "http://u:p=q@h/x",
        "/a=b.mp4?live",
        "./a=b.mp4?live&speed=2",
        "clips/a=b.mp4?live",
        "b.mp4?live&speed=2",
    ],
)
def test_another_equals_sign_gives_no_name(argument: str) -> None:
    assert list(split_names([argument]).values()) == [argument]


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("rtsp://10.0.0.9/main", "10.0.0.9-main"),
        ("rtsp://10.0.0.9:8554/Streaming/Channels/101?x=1", "10.0.0.9-Streaming-Channels-101"),
        ("rtsp://viewer:hunter2@cam.local/", "cam.local"),
        ("rtsp://[fe80::1]/main", "fe80-1-main"),
        ("https://h/live.m3u8", "h-live.m3u8"),
        ("0", "webcam-0"),
        ("/a/street.mp4?live&loop", "street"),
        ("/a/who?.mp4?live", "who?"),
        ("street.mp4", "street"),
        ("/a/day@2.mp4?live", "day@2"),
        ("rtsp://[bad/x", "camera"),
    ],
)
def test_without_a_name_a_camera_is_called_after_its_source(argument: str, name: str) -> None:
    assert split_names([argument]) == {name: argument}


@pytest.mark.parametrize(
    "argument",
    [
        f"rtsp://viewer:{SECRET}@h/x",
        f"rtsp://h/user=viewer&password={SECRET}&channel=1",
        f"rtsp://viewer:12/{SECRET}@h/x",
        f"rtsp:viewer:{SECRET}@h",
        f"viewer:{SECRET}@h",
    ],
)
def test_a_name_never_has_a_credential_in_it(argument: str) -> None:
    [name] = split_names([argument])
    assert SECRET not in name


@pytest.mark.parametrize(
    ("argument", "name"),
    [
        ("rtmp://10.0.0.9/live2/abcd-efgh-ijkl", "10.0.0.9-live2"),
        ("rtsps://10.0.0.9:7441/Fs3bDqmwpqYBkqLE?enableSrtp", "10.0.0.9"),
        ("rtsp://10.0.0.9/user=me_password=pw_channel=1", "10.0.0.9-user-password-channel-1"),
        ("http://10.0.0.9/live/me/pw/12.ts", "10.0.0.9-live-12.ts"),
        ("rtsp://me:12/34@10.0.0.9/x", "camera"),
    ],
)
def test_a_default_name_has_no_secret_of_the_url(argument: str, name: str) -> None:
    assert split_names([argument]) == {name: argument}


def test_equal_default_names_are_numbered() -> None:
    named = split_names(
        ["rtsp://h/x", "h-x-3=rtsp://other/", "rtsp://h:555/x", "rtsp://h/x?2"], taken=["h-x-2"]
    )
    assert list(named) == ["h-x", "h-x-3", "h-x-4", "h-x-5"]


@pytest.mark.parametrize("taken", [["gate"], []])
def test_a_name_that_is_given_twice_is_refused(taken: list[str]) -> None:
    arguments = ["gate=rtsp://h/1"] if taken else ["gate=rtsp://h/1", "gate=rtsp://h/2"]
    with pytest.raises(ConfigError, match="camera gate: there are two of this name"):
        split_names(arguments, taken)


def test_the_order_is_that_of_the_command_line() -> None:
    assert list(split_names(["b=rtsp://h/1", "0", "a=rtsp://h/2"])) == ["b", "webcam-0", "a"]


@pytest.mark.parametrize("path", ["/dev/video0", "/dev/v4l/by-id/usb-046d_HD_Pro_Webcam-index0"])
def test_a_webcam_may_be_named_by_its_path(path: str) -> None:
    assert (parse_source(path, "desk").kind, parse_source(path, "desk").url) == ("webcam", path)


@pytest.mark.parametrize("password", ["12/34", "12#34", "12?34", "1/hunter2"])
def test_a_delimiter_in_a_password_is_refused_with_the_escapes(password: str) -> None:
    with pytest.raises(ConfigError, match="%2F %3F %23") as caught:
        parse_source(f"rtsp://admin:{password}@10.0.0.9/cam", "gate")
    assert password not in str(caught.value)


@pytest.mark.parametrize("url", ["rtsp://10.0.0.9:554/a@b", "http://cam.local:80/x?mail=a@b.c"])
def test_an_at_sign_behind_a_host_is_no_password(url: str) -> None:
    assert parse_source(url, "gate").url == url
