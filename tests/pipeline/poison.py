"""Texts that are no events, though most of them name a camera, a run and a number."""

from __future__ import annotations

import json
from typing import Any

from pipeline.events import MAX_EVENT_BYTES, encode_event
from tests.pipeline.decided_items import make_event

_EVENT: dict[str, Any] = json.loads(encode_event(make_event(50)))


def changed(**fields: Any) -> bytes:
    """The JSON of an event with other fields."""
    return json.dumps({**_EVENT, **fields}).encode()


def without(name: str) -> bytes:
    """The JSON of an event that lacks a field."""
    return json.dumps({key: value for key, value in _EVENT.items() if key != name}).encode()


def spelled(name: str, number: str) -> bytes:
    """The JSON of an event with a number that `json.dumps` would not write."""
    return changed(**{name: "HERE"}).replace(b'"HERE"', number.encode())


POISON: dict[str, bytes] = {
    "empty": b"",
    "no_json": b"hello",
    "two_documents": changed() + changed(),
    "a_list": b"[1]",
    "a_null": b"null",
    "nested_lists": b"[" * 50_000,
    "nested_objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    "nested_field": spelled("latency_ms", "[" * 5000 + "]" * 5000),
    "too_long": changed(action="x" * MAX_EVENT_BYTES),
    "not_utf8": changed().replace(b"walking", b"walk\xff\xfe"),
    "utf16": changed().decode().encode("utf-16"),
    "utf8_with_mark": b"\xef\xbb\xbf" + changed(),
    "surrogate": changed(action="HERE").replace(b"HERE", rb"\ud800"),
    "null_byte": b"\0" + changed(),
    "schema_1": changed(schema=1),
    "schema_5": changed(schema=5),
    "schema_text": changed(schema="\x1b[2J" * 1000),
    "schema_float": changed(schema=4.0),
    "schema_true": changed(schema=True),
    "schema_huge": spelled("schema", "9" * 4000),
    "kind": changed(kind="\x1b]0;pwned\x07" * 100),
    "kind_list": changed(kind=["start"]),
    "missing_model": without("model"),
    "missing_kind": without("kind"),
    "extra": changed(**{"\x1b[2J" * 300: 1}),
    "key_twice": b'{"seq":49,' + changed()[1:],
    "seq_text": changed(seq="50"),
    "seq_float": spelled("seq", "50.0"),
    "seq_true": changed(seq=True),
    "seq_0": changed(seq=0),
    "seq_beyond_doubles": changed(seq=2**53),
    "seq_huge": spelled("seq", "9" * 400),
    "seq_no_int": spelled("seq", "9" * 5000),
    "seq_infinite": spelled("seq", "1e400"),
    "score_nan": spelled("score", "NaN"),
    "score_2": changed(score=2),
    "time_infinite": spelled("start_pts_s", "-Infinity"),
    "time_overflow": spelled("end_pts_s", "1e999"),
    "time_wild": spelled("end_pts_s", "1e300"),
    "time_no_date": changed(start_time="\x1b[2J"),
    "time_no_zone": changed(start_time="2026-01-01T00:00:00"),
    "time_of_no_zone": changed(start_time="0001-01-01T00:00:00+14:00"),
    "time_after_the_last": changed(end_time="9999-12-31T23:59:59-14:00"),
    "box_of_three": changed(xyxy=[1, 2, 3]),
    "box_nan": spelled("xyxy", "[1,2,3,NaN]"),
    "latency_text": changed(latency_ms={"total": "1"}),
    "camera_number": changed(camera_id=7),
}
