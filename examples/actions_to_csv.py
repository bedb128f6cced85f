"""Print one CSV row per action of an events.jsonl: python examples/actions_to_csv.py FILE."""

import csv
import json
import sys
from pathlib import Path

COLUMNS = (
    "camera_id",
    "track_id",
    "action",
    "start_pts_s",
    "end_pts_s",
    "seconds",
    "peak_score",
    "end_reason",
)

lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
ends = [event for event in map(json.loads, lines) if event["kind"] == "end"]
table = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
table.writeheader()
for end in ends:  # an end has everything that its start had
    table.writerow(end | {"seconds": round(end["end_pts_s"] - end["start_pts_s"], 3)})
