"""A row as text: what is refused."""

from __future__ import annotations

import pytest

from pipeline.zone_minutes import ZoneMinute


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"schema": 2}', b"\xff", '{"zone": "a"}'])
def test_what_is_no_row_is_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="ZoneMinute"):
        ZoneMinute.decode(text)
