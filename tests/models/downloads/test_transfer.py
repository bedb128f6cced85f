from __future__ import annotations

import io
import urllib.request
from email.message import Message

import pytest

from models.downloads.transfer import FinalError, _OnlyUpwards


@pytest.mark.parametrize(
    ("old", "new", "allowed"),
    [
        ("https://a.example/f", "https://b.example/f", True),
        ("http://a.example/f", "https://a.example/f", True),
        ("https://a.example/f", "http://a.example/f", False),
    ],
)
def test_a_redirect_does_not_lead_away_from_https(old: str, new: str, allowed: bool) -> None:
    def follow() -> urllib.request.Request | None:
        request = urllib.request.Request(old)
        return _OnlyUpwards().redirect_request(
            request,
            io.BytesIO(),
            302,
            "",
            Message(),  # type: ignore[arg-type]
            new,
        )

    if allowed:
        followed = follow()
        assert followed is not None
        assert followed.full_url == new
    else:
        with pytest.raises(FinalError, match="from https to http"):
            follow()
