"""Messages at real servers on loopback: HTTP, ntfy's protocol and mail; no credential in a text."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import Iterator

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
