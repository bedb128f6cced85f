"""Whatever a camera answers, FFmpeg reaches no other host and no other host gets the password."""

from __future__ import annotations

import hashlib
import re
import socket

import pytest

from pipeline.live.camera_messages import OpenStream, StreamError
from pipeline.live.camera_source import CameraSource, parse_source
from pipeline.live.protocols.rtsp_relay import RtspRelay
from pipeline.live.stream_decoder import StreamDecoder
from testbed.scripted_rtsp import SDP, Answer, ScriptedRtsp

USER, PASSWORD = "viewer", "s3cr3t:Pw"


def source_of(camera: ScriptedRtsp, **changes: object) -> CameraSource:
    return parse_source(camera.url, "gate", username=USER, password=PASSWORD, **changes)  # type: ignore[arg-type]


def failure_of(camera: ScriptedRtsp, **changes: object) -> StreamError:
    request = OpenStream(source_of(camera, **changes), 20.0, 0.5, 0.5)
    with pytest.raises(StreamError) as caught:
        decoder = StreamDecoder(request)
        try:
            list(decoder.frames())
        finally:
            decoder.close()
    assert PASSWORD not in caught.value.detail
    return caught.value


def smuggled(thief: ScriptedRtsp) -> dict[str, bytes]:
    location = b"Location: rtsp://127.0.0.2:%d/x\r\n" % thief.port
    found = b"RTSP/1.0 302 Found\r\nCSEQ\r\n" + location + b"\r\n"
    return {
        "two replies": b"RAW RTSP/1.0 100 Continue\r\nCSEQ\r\n\r\n" + found,
        "line feeds": b"RAW " + found.replace(b"\r\n", b"\n"),
        "carriage returns": b"RAW RTSP/1.0 200 OK\r\nCSEQ\r\nX: y\rRTSP/1.0 302 F\r" + found,
        "nul": b"RAW RTSP/1.0 302\0OK\r\nCSEQ\r\n" + location + b"\r\n",
        "no status text": b"RAW RTSP/1.0 302\r\nCSEQ\r\n" + location + b"\r\n",
        "other version": b"RAW RTSP/2.0  302 Moved\r\nCSEQ\r\n" + location + b"\r\n",
        "no version": b"RAW RTSP/ 302 Moved\r\nCSEQ\r\n" + location + b"\r\n",
        "in a packet": b"RAW $\0" + len(found).to_bytes(2, "big") + found,
        "in a long packet": b"RAW $\0\xff\xff" + (found * 9999)[: (1 << 16) - 1] + found,
        "in a body": b"RAW RTSP/1.0 200 OK\r\nCSEQ\r\nContent-Length: 1\r\n\r\n" + found,
        "garbage": b"RAW " + bytes(range(256)) * 40 + b"\n" + found,
        "a request": b"RAW REDIRECT * RTSP/1.0\r\nCSEQ\r\n" + location + b"\r\n" + found,
    }


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
def test_a_redirect_to_another_host_is_named_and_not_followed(method: str) -> None:
    with ScriptedRtsp(host="127.0.0.2") as thief:
        location = f"302 Moved\r\nLocation: rtsp://127.0.0.2:{thief.port}/evil\r\n\r\n"
        with ScriptedRtsp({method: location.encode()}) as camera:
            loss = failure_of(camera)
        assert not thief.connections
    assert loss.reason == "unreachable"
    assert f"redirects to 127.0.0.2:{thief.port}" in loss.detail


def test_another_port_is_another_host() -> None:
    with ScriptedRtsp() as thief:
        location = f"301 Moved\r\nLocation: rtsp://127.0.0.1:{thief.port}/cam\r\n\r\n"
        with ScriptedRtsp({"DESCRIBE": location.encode()}) as camera:
            assert "redirects to" in failure_of(camera).detail
        assert not thief.connections


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "PLAY"])
def test_no_reply_smuggles_a_redirect_past_the_relay(method: str) -> None:
    with ScriptedRtsp(host="127.0.0.2") as thief:
        for name, answer in smuggled(thief).items():
            with ScriptedRtsp({method: answer}) as camera:
                failure_of(camera)
            assert not thief.connections, name


def test_a_redirect_within_the_camera_is_followed_with_the_login() -> None:
    def answer(request: str) -> bytes:
        if "Authorization" not in request:
            return b'401 Unauthorized\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'
        if " rtsp://" in request and "/cam " in request:
            return f"302 Moved\r\nLocation: rtsp://127.0.0.1:{camera.port}/new?a=b\r\n\r\n".encode()
        return b"200 OK\r\nContent-Length: %d\r\n\r\n" % len(SDP) + SDP

    with ScriptedRtsp({"DESCRIBE": answer}) as camera:
        loss = failure_of(camera)
        uris = [one.split()[1] for one in camera.requests if one.startswith(("DESCRIBE", "PLAY"))]
    assert loss.reason == "disconnected"  # it plays, and ends there
    at = f"rtsp://127.0.0.1:{camera.port}"
    assert uris[0] == f"{at}/cam"
    assert {f"{at}/new?a=b", uris[-1]} <= set(uris)
    assert uris[-1].startswith(f"{at}/new?a=b")


def test_redirects_within_the_camera_have_an_end() -> None:
    with ScriptedRtsp({"DESCRIBE": b"302 Moved\r\nLocation: /again\r\n\r\n"}) as camera:
        assert "redirects" in failure_of(camera).detail


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", ""])
@pytest.mark.parametrize("qop", ['qop="auth,auth-int", ', ""])
def test_a_digest_login_is_answered_for_every_request(algorithm: str, qop: str) -> None:
    hashing = hashlib.sha256 if algorithm == "SHA-256" else hashlib.md5
    ask = f', algorithm="{algorithm}"' if algorithm else ""
    ask = f'401 No\r\nWWW-Authenticate: Digest realm="a b", {qop}nonce="n1"{ask}\r\n\r\n'
    methods = ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]

    def check(request: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)', request.partition("Digest ")[2]))
        method, uri = request.split()[:2]
        parts = ["n1", given["nc"], given["cnonce"], "auth"] if qop else ["n1"]

        def digest(*words: str) -> str:
            return hashing(":".join(words).encode()).hexdigest()

        expected = digest(digest(USER, "a b", PASSWORD), *parts, digest(method, uri))
        return given["response"] == expected and given["uri"] == uri

    def answer(request: str) -> bytes:
        if "Authorization: Digest" not in request:
            return ask.encode()
        assert check(request), request
        return b"200 OK\r\nSession: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n" + (
            b"Content-Length: %d\r\n\r\n" % len(SDP) + SDP
            if request.startswith("DESCRIBE")
            else b"\r\n"
        )

    answers: dict[str, Answer] = dict.fromkeys(methods, answer)
    with ScriptedRtsp(answers) as camera:
        assert failure_of(camera).reason == "disconnected"
        assert any(one.startswith("PLAY") for one in camera.requests)
        # Asked once: a wrong answer each time locks accounts.
        assert sum("Authorization" not in one for one in camera.requests) == 1


@pytest.mark.parametrize("scheme", ["Basic", "Digest"])
def test_a_wrong_password_is_sent_once(scheme: str) -> None:
    numbers = iter(range(1000))

    def refuse(request: str) -> bytes:
        asked = f'{scheme} realm="x", nonce="{next(numbers)}"'
        return f"401 Unauthorized\r\nWWW-Authenticate: {asked}\r\n\r\n".encode()

    with ScriptedRtsp({"OPTIONS": refuse, "DESCRIBE": refuse}) as camera:
        assert failure_of(camera).reason == "unauthorized"
        assert sum("Authorization" in one for one in camera.requests) == 1


def test_a_camera_without_video_is_unreadable_and_says_what_it_has() -> None:
    sdp = SDP.replace(b"m=video 0 RTP/AVP 96", b"m=audio 0 RTP/AVP 8")
    body = b"200 OK\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp
    with ScriptedRtsp({"DESCRIBE": body}) as camera:
        loss = failure_of(camera)
    assert (loss.reason, loss.detail) == ("unreadable", "it sends no video, only audio")


@pytest.mark.parametrize(("transport", "advice"), [("tcp", "udp"), ("udp", "tcp")])
def test_a_camera_that_refuses_the_transport_says_which_to_try(transport: str, advice: str) -> None:
    with ScriptedRtsp({"SETUP": b"461 Unsupported Transport\r\n\r\n"}) as camera:
        loss = failure_of(camera, transport=transport)
    assert loss.reason == "unreadable"
    assert f"transport: {advice}" in loss.detail


@pytest.mark.parametrize("name", ["Tor Süd".encode("latin1"), "大门".encode("gbk"), b"\xff\xfe"])
def test_a_camera_may_have_a_name_in_any_encoding(name: bytes) -> None:
    sdp = SDP.replace(b"s=x", b"s=" + name)
    body = b"200 OK\r\nContent-Length: %d\r\n\r\n" % len(sdp) + sdp
    with ScriptedRtsp({"DESCRIBE": body}) as camera:
        assert failure_of(camera).reason == "disconnected"


@pytest.mark.parametrize(
    ("status", "reason"), [("401 No", "unauthorized"), ("404 No", "not_found")]
)
def test_a_refusal_keeps_its_reason(status: str, reason: str) -> None:
    with ScriptedRtsp({"DESCRIBE": f"{status}\r\n\r\n".encode()}) as camera:
        assert failure_of(camera).reason == reason


def test_headers_without_an_end_are_no_camera() -> None:
    with ScriptedRtsp({"OPTIONS": b"200 OK\r\n" + b"X: y\r\n" * 20_000}) as camera:
        loss = failure_of(camera)
    assert (loss.reason, loss.detail) == ("unreadable", "its headers have no end")


def test_nobody_is_unreachable() -> None:
    with ScriptedRtsp() as camera:
        pass
    assert failure_of(camera).reason == "unreachable"


def test_another_program_of_this_machine_gets_nothing_from_the_relay() -> None:
    with ScriptedRtsp() as camera:
        relay = RtspRelay(source_of(camera), 5.0)
        try:
            at = relay.url.split("/")[2]
            host, _, port = at.partition(":")
            with socket.create_connection((host, int(port))) as intruder:
                intruder.sendall(f"DESCRIBE rtsp://{at}/cam RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
                intruder.settimeout(60)
                assert intruder.recv(99) == b""
            assert camera.requests == []
            assert PASSWORD not in relay.url and USER not in relay.url
        finally:
            relay.close()
