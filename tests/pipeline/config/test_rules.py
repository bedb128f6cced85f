"""Rules as they are written, and what is said about those that cannot work."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError

TEN_LINES = """\
cameras:
  entrance:
    zones: {door: {points: [[0.3, 0.4], [0.6, 0.4], [0.7, 1.0], [0.2, 1.0]]}}
schedules: {night: {timezone: Europe/Vienna, times: ["22:00-06:00"]}}
rules:
  fight:
    action: fight
    zone: door
    people: 2
    schedule: night
"""
PLACES = """\
cameras:
  gate:
    zones: {yard: {points: [[0, 0], [1, 0], [1, 1]]}}
    lines: {fence: {start: [0.5, 0], end: [0.5, 1]}}
  hall:
    zones: {door: {points: [[0, 0], [1, 0], [1, 1]]}}
    ground_plane:
      image: [[0, 0], [1, 0], [1, 1], [0, 1]]
      metres: [[0, 0], [4, 0], [4, 4], [0, 4]]
rules:
  one:
"""


def load(folder: Path, text: str) -> PipelineConfig:
    path = folder / "rules.yaml"
    path.write_text(text)
    return load_config(path)


def test_a_first_rule_is_three_lines(tmp_path: Path) -> None:
    config = load(tmp_path, "rules:\n  fight:\n    action: fight\n")
    assert config.rules["fight"].action == ("fight",)


def test_fight_at_the_entrance_at_night_by_two_people_is_ten_lines(tmp_path: Path) -> None:
    rule = load(tmp_path, TEN_LINES).rules["fight"]
    assert (rule.zone, rule.schedule, rule.people) == (("door",), ("night",), 2)


@pytest.mark.parametrize(
    "rule",
    [
        "{action: [fight, punch], outside: yard, min_score: 0.8, for_s: 1}",
        "{person: enters, zone: [yard, door]}",
        "{person: crosses, line: fence, direction: left_to_right}",
        "{person: dwells, zone: yard, for_s: 60, cool_down_s: 300}",
        "{person: returns, zone: yard}",
        "{fewer_than: 1, zone: door, for_s: 120}",
        "{more_than: 5, for_s: 10, cameras: 'g*'}",
        "{closer_than: 0.5, for_s: 5}",
        "{closer_than_m: 1.5, cameras: hall}",
        "{action: lying, still_for_s: 10, max_per_hour: 4}",
        "{person: leaves, zone: door, after: {action: take}, within_s: 60, unless: {action: pay}}",
    ],
)
def test_what_a_rule_can_say(tmp_path: Path, rule: str) -> None:
    assert load(tmp_path, PLACES.replace("one:\n", f"one: {rule}\n")).rules


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("{}", "rules.one: exactly one of action, person, more_than, fewer_than, closer_than, "),
        ("{action: fight, person: enters}", "not action and person"),
        ("{action: fight, min_score: 1.5}", "rules.one.min_score: should be less than or equal"),
        ("{action: fight, zone: yrd}", "rules.one.zone: there is no zone yrd; did you mean yard?"),
        ("{action: fight, outside: x}", "rules.one.outside: there is no zone x; there are yard"),
        (
            "{action: fight, zone: door, cameras: gate}",
            "none of the rule's cameras has a zone door",
        ),
        ("{action: fight, zone: yard, outside: yard}", "never: in and outside of yard"),
        ("{action: nothing}", "rules.one.action: never: decision makes no events of it"),
        ("{action: fight, schedule: night}", "rules.one.schedule: there is no schedule night"),
        ("{person: crosses, line: kerb}", "rules.one.line: there is no line kerb"),
        ("{person: crosses}", "rules.one: line: missing"),
        ("{person: crosses, line: fence, zone: door}", "rules.one: never: no camera has all of"),
        ("{person: dwells, zone: yard}", "rules.one: for_s: missing"),
        ("{person: enters, for_s: 3}", "for_s has no effect with person: enters"),
        ("{person: returns}", "rules.one: zone: missing"),
        ("{fewer_than: 0}", "rules.one.fewer_than: should be greater than 0"),
        ("{closer_than_m: 2, cameras: gate}", "none of its cameras has a ground_plane"),
        ("{person: enters, people: 2}", "people has no effect without action"),
        ("{action: fight, after: {action: x}}", "within_s: missing, beside after or unless"),
        ("{action: fight, within_s: 3}", "within_s has no effect without after or unless"),
        ("{action: a, after: {person: enters, zone: x}, within_s: 9}", "rules.one.after.zone: "),
        ("{action: a, after: {person: enters, zom: x}, within_s: 9}", "rules.one.after.zom: unkn"),
        (
            "{action: fight, after: {fewer_than: 1, zone: door}, within_s: 9}",
            "rules.one: same: person: there is none in after (fewer_than: 1)",
        ),
        (
            "{fewer_than: 1, zone: door, for_s: 60, unless: {action: fight}, within_s: 9}",
            "rules.one: same: person: there is none in the rule itself (fewer_than: 1)",
        ),
        (
            "{action: fight, unless: {person: inside, zone: door}, within_s: 9, same: zone}",
            "rules.one: same: zone: the rule itself and unless have no zone in common",
        ),
        ("{action: fight, max_per_hour: 0}", "rules.one.max_per_hour: should be greater than 0"),
        ("fight", "rules.one: should be a section with keys"),
    ],
)
def test_a_rule_that_cannot_work_is_named_with_its_key(
    tmp_path: Path, rule: str, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, PLACES.replace("one:\n", f"one: {rule}\n"))
    assert message in str(raised.value)
    assert "rules.yaml, line 11: " in str(raised.value)


def test_an_action_that_one_camera_alone_is_interested_in(tmp_path: Path) -> None:
    text = "decision: {actions: [fall]}\nrules: {one: {action: fight}}\n"
    with pytest.raises(ConfigError, match=r"rules.one.action: never"):
        load(tmp_path, text)
    assert load(tmp_path, f"{text}cameras: {{gate: {{decision: {{actions: [fight]}}}}}}\n").rules


def test_the_decision_of_a_camera_must_fit_that_of_all(tmp_path: Path) -> None:
    text = "cameras:\n  gate:\n    decision: {end_threshold: 0.9}\n"
    with pytest.raises(ConfigError, match=r"line 3: cameras.gate.decision: .*must not be above"):
        load(tmp_path, text)


def test_what_a_camera_decides_replaces_what_holds_for_all(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        """\
decision: {min_gap_s: 2, per_action: {fight: {start_threshold: 0.9, min_duration_s: 3}}}
cameras: {gate: {decision: {start_threshold: 0.7, per_action: {kick: {min_gap_s: 1}}}}}
""",
    )
    own = config.decision.for_camera(config.cameras["gate"].decision)
    fight, kick = own.for_action("fight"), own.for_action("kick")
    assert (fight.start_threshold, fight.min_duration_s, fight.min_gap_s) == (0.7, 3, 2)
    assert (kick.start_threshold, kick.min_gap_s) == (0.7, 1)
    assert config.decision.for_camera(None) is config.decision


def test_evidence_is_of_rules_that_there_are(tmp_path: Path) -> None:
    text = "rules: {night-fight: {action: fight}}\nevidence:\n  rules: "
    assert load(tmp_path, f"{text}[night-*]\n").evidence.rules
    assert load(tmp_path, "evidence: {rules: ['*']}\n").evidence.rules
    message = r"line 3: evidence.rules: there is no rule nigt-fight; did you mean night-fight\?"
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, f"{text}[nigt-fight]\n")
