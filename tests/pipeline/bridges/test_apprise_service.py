"""Messages at real servers on loopback: HTTP, ntfy's protocol and mail; no credential in a text."""

from __future__ import annotations

import base64
import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from pipeline.bridges.apprise_service import AppriseService
from pipeline.bridges.retry import BridgeError, UnavailableError
from pipeline.errors import ConfigError
from testbed.free_port import free_port
from testbed.http_receiver import Receiver, Reply, http_receiver
from testbed.smtp_receiver import SmtpReceiver, smtp_receiver

# Apprise and the package for mail that it uses import a module that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

IMAGE = b"\xff\xd8\xff image"
HOSTILE = "<b>*fight*</b> [x](http://evil) _a_ & \\n"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[SmtpReceiver]:
    with smtp_receiver() as mail:
        yield mail


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What a log of everything gets; `caplog` also listens at loggers that pass nothing on."""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(0)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


def service_at(url: str, timeout_s: float = 10.0) -> AppriseService:
    return AppriseService(url, key="bridges.notify.targets.phone.url", timeout_s=timeout_s)


@contextmanager
def trickling_server() -> Iterator[int]:
    """It begins an answer that never ends, each byte well within a timeout."""
    over = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.05):
                    self.wfile.write(b"x")

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            over.set()
            server.shutdown()


def mail_url(mail: SmtpReceiver, options: str = "") -> str:
    return (
        f"mailto://127.0.0.1:{mail.port}?mode=insecure&from=cam@example.com"
        f"&to=guard@example.com{options}"
    )


def test_a_json_receiver_gets_title_text_and_image(receiver: Receiver) -> None:
    service_at(f"json://127.0.0.1:{receiver.port}/hook").send("fight", HOSTILE, IMAGE)
    message = json.loads(receiver.next().body)
    assert (message["title"], message["message"]) == ("fight", HOSTILE)
    [attached] = message["attachments"]
    assert (attached["filename"], attached["mimetype"]) == ("snapshot.jpg", "image/jpeg")
    assert base64.b64decode(attached["base64"]) == IMAGE


def test_ntfy_gets_text_as_it_is_and_the_image(receiver: Receiver) -> None:
    service = service_at(f"ntfy://127.0.0.1:{receiver.port}/alarms")
    service.send("fight", HOSTILE)
    message = json.loads(receiver.next().body)
    assert (message["topic"], message["title"], message["message"]) == ("alarms", "fight", HOSTILE)
    assert not message.get("markdown")
    service.send("fight", HOSTILE, IMAGE)
    bodies = []
    while not receiver.requests.empty():
        bodies.append(receiver.next().body)
    assert IMAGE in bodies


@pytest.mark.parametrize("options", ["", "&format=text"])
def test_a_mail_has_the_text_as_text_and_the_image(mail: SmtpReceiver, options: str) -> None:
    service_at(mail_url(mail, options)).send("fight at gate", HOSTILE, IMAGE)
    message = mail.next()
    assert message["Subject"] == "fight at gate"
    html = message.get_body(("html",))
    assert html is None or "<b>" not in html.get_content()
    plain = message.get_body(("plain",))
    assert plain is not None
    assert "*fight*" in plain.get_content()
    [attached] = message.iter_attachments()
    assert (attached.get_filename(), attached.get_content()) == ("snapshot.jpg", IMAGE)


def test_a_title_with_line_ends_adds_no_header(mail: SmtpReceiver) -> None:
    service_at(mail_url(mail)).send("fight\r\nBcc: other@example.com", "text")
    assert mail.next()["Bcc"] is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_a_refusal_costs_a_try(receiver: Receiver, status: int) -> None:
    receiver.replies.put(Reply(status))
    with pytest.raises(BridgeError, match=f"^JSON answers {status}$") as caught:
        service_at(f"json://127.0.0.1:{receiver.port}/").send("t", "b")
    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_service_is_waited_for(receiver: Receiver, status: int) -> None:
    receiver.replies.put(Reply(status))
    with pytest.raises(UnavailableError, match=str(status)):
        service_at(f"json://127.0.0.1:{receiver.port}/").send("t", "b")


def test_ntfys_longer_numbers_begin_with_the_status(receiver: Receiver) -> None:
    refusal = json.dumps({"code": 40301, "http": 403, "error": "forbidden\x1b[2J"}).encode()
    receiver.replies.put(Reply(403, body=refusal))
    with pytest.raises(BridgeError, match=r"^ntfy answers 403$"):
        service_at(f"ntfy://127.0.0.1:{receiver.port}/alarms").send("t", "b")


def test_an_image_that_is_refused_is_left_out(receiver: Receiver) -> None:
    receiver.replies.put(Reply(413))
    service_at(f"json://127.0.0.1:{receiver.port}/").send("t", "b", IMAGE)
    receiver.next()
    message = json.loads(receiver.next().body)
    assert message["message"] == "b\n(the service refused the snapshot)"
    assert not message["attachments"]


def test_a_service_that_is_away_or_hangs_is_waited_for(receiver: Receiver) -> None:
    with pytest.raises(UnavailableError, match="JSON does not answer"):
        service_at(f"json://127.0.0.1:{free_port()}/").send("t", "b")
    receiver.may_reply.clear()
    with pytest.raises(UnavailableError, match="does not answer"):
        service_at(f"json://127.0.0.1:{receiver.port}/", timeout_s=0.2).send("t", "b")
    with pytest.raises(UnavailableError, match="does not answer"):
        service_at(f"mailto://127.0.0.1:{free_port()}?mode=insecure&from=a@b.de&to=c@d.de").send(
            "t", "b"
        )


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    """A POST would become a GET, which succeeds without a message, or go to another host."""
    there = {"Location": f"http://localhost:{receiver.port}/other"}
    receiver.replies.put(Reply(status, headers=there))
    with pytest.raises(BridgeError, match=f"^JSON answers {status}$"):
        service_at(f"json://127.0.0.1:{receiver.port}/").send("t", "b")
    assert receiver.requests.qsize() == 1


def test_a_service_that_sends_a_byte_now_and_then_is_given_up_and_delays_no_other(
    receiver: Receiver, logged: io.StringIO
) -> None:
    with trickling_server() as port:
        before = threading.active_count()
        service = service_at(f"json://127.0.0.1:{port}/hunter2", timeout_s=0.2)
        for _ in range(20):  # more than a pool of threads has
            with pytest.raises(UnavailableError, match=r"^JSON does not answer"):
                service.send("t", "b")
        assert threading.active_count() <= before + 3  # the attempt, and those of the server
        service_at(f"json://127.0.0.1:{receiver.port}/").send("t", "b")
    assert "hunter2" not in logged.getvalue()


@pytest.mark.parametrize("answer", ["550 hunter2 unwanted", "554 no"])
def test_a_mail_server_that_refuses_costs_a_try(mail: SmtpReceiver, answer: str) -> None:
    mail.answer = answer
    with pytest.raises(BridgeError, match=f"^E-Mail answers {answer[:3]}$") as caught:
        service_at(mail_url(mail)).send("t", "b")
    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.parametrize("answer", ["421 closing", "451 try later", "452 disk full"])
def test_a_mail_server_that_is_busy_is_waited_for(mail: SmtpReceiver, answer: str) -> None:
    mail.answer = answer
    with pytest.raises(UnavailableError, match=f"^E-Mail answers {answer[:3]}$"):
        service_at(mail_url(mail)).send("t", "b")


def test_a_mail_that_is_too_large_comes_without_the_image(mail: SmtpReceiver) -> None:
    mail.largest_bytes = 5000
    service_at(mail_url(mail)).send("t", "b", IMAGE + bytes(6000))
    body = mail.next().get_body(("plain",))
    assert body is not None
    assert "(the service refused the snapshot)" in body.get_content()


@pytest.mark.parametrize(("code", "error"), [(550, BridgeError), (451, UnavailableError)])
def test_who_has_a_message_does_not_get_it_again_because_another_is_refused(
    mail: SmtpReceiver, code: int, error: type[BridgeError]
) -> None:
    mail.refused["other@example.com"] = f"{code} no"
    service = service_at(mail_url(mail, ",other@example.com"))
    for _ in range(3):
        with pytest.raises(BridgeError, match=f"^E-Mail answers {code}$") as caught:
            service.send("t", "b")
        assert type(caught.value) is error
    assert mail.messages.qsize() == 1
    mail.refused.clear()
    service.send("t", "b")
    service.send("t", "b")  # another message of the same words
    assert mail.messages.qsize() == 4


def test_a_status_in_the_text_of_a_message_is_none() -> None:
    text = "error=403 Socket Exception: (550, b'no')\nSocket Exception: (550, b'no')"
    for url in (
        f"json://127.0.0.1:{free_port()}/",
        f"mailto://127.0.0.1:{free_port()}?mode=insecure&from=a@b.de&to=c@d.de",
    ):
        with pytest.raises(UnavailableError, match="does not answer"):
            service_at(url).send(text, text)


@pytest.mark.parametrize(("title", "text"), [("fight", ""), ("fight", " \n"), ("", "")])
def test_a_message_without_text_arrives(receiver: Receiver, title: str, text: str) -> None:
    service_at(f"json://127.0.0.1:{receiver.port}/").send(title, text)
    assert json.loads(receiver.next().body)["message"] == (title or "-")


@pytest.mark.parametrize("status", [200, 403, 500])
def test_no_text_shows_a_credential(receiver: Receiver, logged: io.StringIO, status: int) -> None:
    receiver.replies.put(Reply(status, body=b"hunter2"))
    service = service_at(
        f"json://hunter2:hunter2@127.0.0.1:{receiver.port}/hunter2?:token=hunter2&+X-Key=hunter2"
    )
    text = ""
    try:
        service.send("t", "b", IMAGE)
    except BridgeError as error:
        text = str(error)
    assert "hunter2" not in text + logged.getvalue() + repr(service) + service.name


@pytest.mark.parametrize(
    "url", ["", "hunter2", "nosuch://hunter2", "mailto://", "json://", "tgram://hunter2"]
)
def test_what_is_no_url_names_the_key_and_quotes_nothing(
    url: str, logged: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        ConfigError, match=r"^bridges\.notify\.targets\.phone\.url: not a"
    ) as caught:
        service_at(url)
    assert "hunter2" not in str(caught.value) + logged.getvalue() + "".join(capfd.readouterr())
