"""Signatures against the reference library of the Standard Webhooks specification."""

from __future__ import annotations

import base64
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from pipeline.bridges.webhook_signatures import WebhookSigner, header_id, standard_id
from pipeline.errors import ConfigError

KEY = bytes(range(32))
BODY = '{"camera_id":"门口"}'.encode()


def signed(secret: bytes, body: bytes = BODY) -> dict[str, str]:
    timestamp = str(int(time.time()))
    own = {"webhook-id": "run/gate/1", "webhook-timestamp": timestamp}
    return own | WebhookSigner(secret).headers("run/gate/1", timestamp, body)


@pytest.mark.parametrize("padding", [True, False])
def test_the_reference_library_accepts_what_is_signed_with_its_kind_of_secret(
    padding: bool,
) -> None:
    secret = "whsec_" + base64.b64encode(KEY).decode()
    secret = secret if padding else secret.rstrip("=")
    assert Webhook(secret).verify(BODY, signed(secret.encode())) == {"camera_id": "门口"}


def test_a_secret_of_any_text_is_the_key_itself() -> None:
    assert Webhook(b"hunter2").verify(BODY, signed(b"hunter2"))


@pytest.mark.parametrize("changed", ["body", "webhook-id", "webhook-timestamp", "secret"])
def test_the_reference_library_refuses_what_was_changed(changed: str) -> None:
    headers, body, secret = signed(KEY), BODY, KEY
    if changed == "body":
        body += b" "
    elif changed == "secret":
        secret = KEY[::-1]
    else:
        headers[changed] = {"webhook-id": "x", "webhook-timestamp": str(int(time.time()) - 9)}[
            changed
        ]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, headers)


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 65])
def test_what_is_no_key_is_refused_without_showing_it(key: bytes) -> None:
    with pytest.raises(ConfigError, match=r"bridges\.webhook\.secret_file: .* 24 to 64 ") as caught:
        WebhookSigner(b"whsec_" + base64.b64encode(key))
    assert (
        base64.b64encode(key).decode() not in str(caught.value).partition("openssl")[0] or not key
    )


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(ConfigError, match="in base64"):
        WebhookSigner(b"whsec_hunter2-hunter2-hunter2-hunter2")


def test_an_id_has_no_full_stop_which_separates_what_is_signed() -> None:
    assert header_id("run/a.b 门/1") == "run/a.b%20%E9%97%A8/1"
    assert standard_id("run/a.b 门/1") == "run/a%2Eb%20%E9%97%A8/1"
