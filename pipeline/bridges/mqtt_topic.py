"""The topic of an event, from a template such as `behaviour/{camera_id}/{kind}`."""

from __future__ import annotations

import re

from pipeline.bridges.template import literals_of
from pipeline.events import ActionEvent, AlarmEvent, Event

FIELDS = ("camera_id", "kind", "action", "rule", "run_id")
NOTHING = "-"  # where an event has no such field

# Characters with a meaning in topics or refused by brokers; % too, so that it can be decoded.
_SPECIAL = re.compile(r"[/+#$%\x00-\x1f\x7f-\x9f]")
_REFUSED = re.compile(r"[+#\x00-\x1f\x7f-\x9f]")


def check_topic(template: str) -> str:
    """Return the template unchanged if it is valid.

    Raises:
        ValueError: if it is not; the message names the mistake.
    """
    literals = literals_of(template, FIELDS, what="a topic", example="behaviour/{camera_id}/{kind}")
    if any(map(_REFUSED.search, literals)):
        raise ValueError("a topic to publish to has no wildcards (+, #) or control characters")
    if not template or template.startswith("$"):
        raise ValueError("a topic is not empty and does not begin with $ (reserved)")
    return template


def topic_of(template: str, event: Event) -> str:
    """Fill in the names of an event, each as one level: `a/b` becomes `a%2Fb`.

    Args:
        template: as returned by `check_topic`.
        event: of any kind; `-` stands for the action or rule of one that has none.
    """
    names = {
        "camera_id": event.camera_id,
        "kind": event.kind,
        "action": event.action if isinstance(event, ActionEvent) else NOTHING,
        "rule": event.rule if isinstance(event, AlarmEvent) else NOTHING,
        "run_id": event.run_id,
    }
    return template.format_map({name: _one_level(text) for name, text in names.items()})


def _one_level(text: str) -> str:
    return _SPECIAL.sub(lambda found: f"%{ord(found[0]):02X}", text)
