"""Print one CSV row per action of an events.jsonl: python examples/actions_to_csv.py FILE."""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

COLUMNS = (
    "camera_id",
    "track_id",
    "group_id",
    "members",
    "action",
    "start_pts_s",
    "end_pts_s",
    "seconds",
    "peak_score",
    "end_reason",
)


def ends(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the ends, which have everything that their starts had; skips what is no event."""
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            event = json.loads(line or b"{}")
            if event.get("kind") == "end":
                members = " ".join(map(str, event.get("members", ())))  # of a group's action
                seconds = round(event["end_pts_s"] - event["start_pts_s"], 3)
                yield event | {"seconds": seconds, "members": members}
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            print(f"line {number} is no event", file=sys.stderr)


table = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
table.writeheader()
table.writerows(ends(Path(sys.argv[1])))
