from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel

from pipeline.config.explanation import PATTERNS
from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError
from tests.conftest import REPOSITORY

DEFAULTS = REPOSITORY / "configs" / "default.yaml"


def fails(*settings: str, override: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(override, settings)
    return str(caught.value)


def test_the_defaults_load() -> None:
    assert load_config().redis.url == "embedded"


def test_every_path_of_the_configuration_may_begin_with_a_tilde(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", "/home/operator")
    config = load_config(
        settings=[
            "output=~/out",
            "observations.folder=~/kept",
            "evidence.folder=~/seen",
            "detector.weights=~/yolo.pt",
            "recognizer.weights=~/m.safetensors",
            "bridges.webhook.secret_file=~/w",
            "bridges.mqtt.password_file=~/m",
            "bridges.mqtt.username=x",
            "bridges.notify.targets={phone: {url_file: ~/phone.url}}",
            "cameras.gate={url: 'rtsp://h/x', username: v, password_file: ~/g}",
        ]
    )
    values = config.model_dump(mode="json")
    assert "~" not in str(values)
    assert config.output == Path("/home/operator/out")

    def paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
        for name, field in section.model_fields.items():
            if "pathlib.Path" in str(field.annotation):
                yield f"{prefix}{name}"
            for kind in (field.annotation, *get_args(field.annotation)):
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    yield from paths(kind, f"{prefix}{name}.")

    # A new path key is to be set above.
    assert sorted(paths(PipelineConfig)) == [
        "bridges.mqtt.password_file",
        "bridges.notify.targets.url_file",
        "bridges.webhook.secret_file",
        "cameras.password_file",
        "evidence.folder",
        "observations.folder",
        "output",
    ]


def test_every_key_of_the_defaults_has_a_comment() -> None:
    for line in DEFAULTS.read_text().splitlines():
        is_key = ":" in line and not line.lstrip().startswith("#")
        is_section = line.rstrip().endswith(":")
        if is_key and not is_section and "weights: models/" not in line:
            assert "  # " in line, line


def test_the_model_has_no_key_beyond_the_defaults() -> None:
    def keys(section: dict[str, object], prefix: str = "") -> set[str]:
        nested = {k: v for k, v in section.items() if isinstance(v, dict)}
        deeper = [keys(value, f"{prefix}{key}.") for key, value in nested.items()]
        return {f"{prefix}{key}" for key in section}.union(*deeper)

    written = yaml.safe_load(DEFAULTS.read_text())
    assert keys(load_config().model_dump(mode="json")) == keys(written)


def test_a_file_changes_only_what_it_names(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("detector:\n  confidence: 0.7\n")
    config = load_config(tmp_path / "own.yaml")
    assert config.detector.confidence == 0.7
    assert config.detector.iou == load_config().detector.iou


def test_a_setting_beats_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("detector: {confidence: 0.7}")
    settings = ["detector.confidence=0.2", "clip.clip_len=16", "tracker.encoder_wh=[64, 128]"]
    config = load_config(tmp_path / "own.yaml", settings)
    assert (config.detector.confidence, config.clip.clip_len) == (0.2, 16)
    assert config.tracker.encoder_wh == (64, 128)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("detector.confidance=0.5", "detector.confidance: unknown key"),
        ("detektor.confidence=0.5", "detektor: unknown key"),
        ("detector.confidence=5", "detector.confidence: .*less than or equal to 1"),
        ("clip.clip_len=many", "clip.clip_len: .*integer.*'many'"),
        ("tracker.name=sort", "tracker.name: .*'deepsort', 'bytetrack' or 'botsort'"),
        ("decision.end_threshold=0.9", r"end_threshold \(0.9\) must not be above"),
        ("decision.per_action.kick.end_threshold=1", "per_action.kick.end_threshold"),
        ("redis.url=localhost", "redis: url must be embedded, none, or start with redis://"),
        ("device=gpu", "device: "),
        ("detector", "expected KEY=VALUE"),
        ("detector.confidence=[", "not valid YAML"),
        ("detector=yolo", "detector: "),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(setting: str, expected: str) -> None:
    message = fails(setting)
    assert re.search(expected, message), message


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("detector.confidence=on", "should be a valid number.*got 'on'"),
        ("detector.confidence=true", "should be a number, got True"),
        ("clip.clip_len=yes", "should be a valid integer.*got 'yes'"),
        ("clip.clip_len=true", "should be a number, got True"),
        ("clip.clip_len=32.5", "should be a whole number"),
        ("redis.maxlen=100.000", "should be a whole number"),
        ("tracker=bytetrack", r"should be a section with keys, e\.g\. \{name: \.\.\.\}"),
        ("cameras={gate: rtsp://h/x}", r"cameras\.gate: should be a section .*\{url: \.\.\.\}"),
        ("output=[a]", "output: should be a path"),
        ("detector.weights=null", "should be a text, got nothing"),
        ("tracker.encoder_wh=[true, 64]", "should be a number"),
        ("tracker.encoder_wh=[96, 192, 3]", "should have 2 items at most"),
        ("tracker.encoder_wh=64", r"should be a list, e\.g\. \[a, b\]"),
        ("decision.background=nothing", "should be a list"),
        ("decision.background=[true]", "should be a text; put it in quotes"),
        ("live.verify_tls=1", "should be true or false"),
        ("live.verify_tls=maybe", "should be a valid boolean"),
        ("live.stuck_s=.inf", "should be a finite number"),
        ("live.stuck_s=.nan", "should be a finite number"),
        ("detector.confidence=nan", "should be a finite number"),
        ("live.stuck_s=1e300", "should be at most 1e9"),
        ("detector.weights=5", "should be a text; put it in quotes, got 5"),
        ("tracker.name=5", "should be a text"),
        ("output=5", "should be a text; put it in quotes"),
        (
            "cameras={gate: {url: rtsp://h/x, username: 12345}}",
            "should be a text; put it in quotes$",
        ),
        (
            "cameras={gate: {url: rtsp://h/x, password: true}}",
            "should be a text; put it in quotes$",
        ),
        ("cameras={my gate: {url: rtsp://h/x}}", r"^cameras\.my gate: should be of letters"),
        ("cameras=[rtsp://h/x]", "^cameras: should be a section of names, each with its keys$"),
        ("device=gpu", "device: should be auto, cpu or cuda:N"),
        ("redis.stream=a{b}", "should have no braces"),
        ("detector=on", "detector: should be a section with keys"),
    ],
)
def test_a_value_of_another_kind_is_refused_in_plain_words(setting: str, expected: str) -> None:
    message = fails(setting)
    assert re.search(expected, message), message


def test_words_of_yaml_are_what_their_place_makes_them(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "live: {verify_tls: off, stuck_s: 0030}\n"
        "cameras:\n"
        "  on: {url: 0, username: yes, password: 0123}\n"
        "  2: {url: rtsp://h/x, verify_tls: yes}\n"
        "decision:\n"
        "  background: [no, 12:30]\n"
        "  per_action: {off: {start_threshold: 0.9}}\n"
        "output: 2026-11-25\n"
        "detector:\n"
        "  # confidence: 0.5\n"
    )
    config = load_config(path)
    assert config.live.verify_tls is False
    assert config.live.stuck_s == 30
    assert set(config.cameras) == {"on", "2"}
    camera = config.cameras["on"]
    assert (camera.url, camera.username) == ("0", "yes")
    assert camera.password is not None
    assert camera.password.get_secret_value() == "0123"
    assert config.decision.background == ("no", "12:30")
    assert set(config.decision.per_action) == {"off"}
    assert config.output == Path("2026-11-25")
    assert config.detector == load_config().detector


def test_a_mistake_is_found_by_its_line_unless_a_setting_made_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "# of the gate\n"
        "cameras:\n"
        "  gate:\n"
        "    user: viewer\n"
        "    zones: {door: {anchor: foot}}\n"
        "detector:\n"
        "  confidence: 5\n"
        "tracker: {encoder_wh: [96, on]}\n"
    )
    message = fails(override=path)
    assert f"{path}, line 4: cameras.gate.user: unknown key" in message
    assert f"{path}, line 5: cameras.gate.zones.door.points: missing" in message
    assert f"{path}, line 7: detector.confidence: should be less than or equal to 1" in message
    assert f"{path}, line 8: tracker.encoder_wh.1: should be a valid integer" in message
    assert "hunter2" not in fails("cameras.gate.password=[hunter2")
    [line] = [
        line
        for line in fails("detector.confidence=7", override=path).splitlines()
        if "detector.confidence" in line
    ]
    assert line == "detector.confidence: should be less than or equal to 1, got 7"


def test_a_key_that_is_given_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "cameras:\n"
        "  gate: {url: rtsp://10.0.0.1/a}\n"
        "  yard: {url: rtsp://10.0.0.2/a}\n"
        "  gate: {url: rtsp://viewer:hunter2@10.0.0.3/a}\n"
        "live: {detect_fps: 5}\n"
        "redis: {maxlen: 7}\n"
        "live: {report_interval_s: 0}\n"
    )
    assert fails(override=path) == (
        f"{path}: cameras.gate is given twice, in lines 2 and 4; "
        "live is given twice, in lines 5 and 7"
    )
    assert "a is given twice" in fails("cameras={a: {url: x}, a: {url: y}}")


def test_every_pattern_of_a_key_has_words() -> None:
    patterns = re.findall(
        r'"pattern": (".*?[^\\]")', json.dumps(PipelineConfig.model_json_schema())
    )
    assert len(patterns) >= 4
    assert {json.loads(one) for one in patterns} <= PATTERNS.keys()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "no.yaml: cannot read" in fails(override=tmp_path / "no.yaml")


def test_yaml_that_makes_objects_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.yaml").write_text("output: !!python/object/apply:os.getcwd []")
    assert "not valid YAML" in fails(override=tmp_path / "evil.yaml")


def test_the_configuration_cannot_be_changed() -> None:
    config = load_config()
    with pytest.raises(ValueError, match="frozen"):
        config.device = "cpu"


def test_sections_forbid_unknown_keys_everywhere() -> None:
    def sections(model: type) -> list[type]:
        fields = [field.annotation for field in model.model_fields.values()]
        inner = [f for f in fields if isinstance(f, type) and hasattr(f, "model_fields")]
        return [model, *(s for field in inner for s in sections(field))]

    assert len(sections(PipelineConfig)) > 5
    assert all(s.model_config["extra"] == "forbid" for s in sections(PipelineConfig))


@pytest.mark.parametrize(
    "text",
    [
        "cameras: {gate: rtsp://viewer:hunter2@10.0.0.8/main}",
        "cameras: {gate: {url: rtsp://h/x, transport: rtsp://viewer:hunter2@10.0.0.8/main}}",
        "cameras: {gate: {url: rtsp://viewer:hunter2@10.0.0.8/main}",
        "redis: {url: redis://:hunter2@h:6379/0, streem: x}",
    ],
)
def test_a_mistake_beside_a_password_does_not_show_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"output: \xff\xfe")
    with pytest.raises(ConfigError, match=r"mine\.yaml: no UTF-8 text"):
        load_config(path)


@pytest.mark.parametrize(
    "setting", ["live.detect_fps=2", "cameras={gate: {url: rtsp://h/x, detect_fps: 2}}"]
)
def test_a_rate_at_which_no_clip_would_be_complete_is_refused(setting: str) -> None:
    assert "detect_fps (2) leaves gaps" in fails(setting)
    load_config(None, [setting, "clip.max_gap_s=0.8"])


@pytest.mark.parametrize(
    "text", ["output: !!int x", "output: !!timestamp x", "output: " + "[" * 2000, "output: \x00"]
)
def test_a_value_that_breaks_the_parser_is_an_error_like_any_other(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="mine"):
        load_config(path)


def test_passwords_are_not_in_what_is_logged_of_the_configuration() -> None:
    settings = [
        "cameras={gate: {url: 'viewer:hunter2@10.0.0.8/main'}}",
        """redis.url=redis://:hunt'er"2@h/0""",
    ]
    logged = load_config(None, settings).model_dump_json()
    assert "hunter2" not in logged
    assert "er" + '\\"2' not in logged


def test_a_digest_is_that_of_a_file() -> None:
    digest = "AB" * 32
    settings = [f"detector.sha256={digest}", "detector.weights=mine.pt"]
    assert load_config(None, settings).detector.sha256 == digest.lower()
    assert "detector.sha256" in fails("detector.sha256=abc")
    assert "sha256 belongs to a file" in fails(settings[0], "detector.weights=compact")


def test_an_entry_of_the_list_inherits_what_it_does_not_say() -> None:
    first, second = load_config(
        settings=[
            "clip.stride_s=0.7",
            "recognizer.batch_size=3",
            "recognizers=[{}, {mode: skeleton, weights: posture, stride_s: 0.1}]",
        ]
    ).of_each_recognizer()
    assert (first.clip.stride_s, first.recognizer.mode) == (0.7, "crop")
    assert (second.clip.stride_s, second.recognizer.mode) == (0.1, "skeleton")
    assert (second.recognizer.weights, second.recognizer.batch_size) == ("posture", 3)


def test_without_a_list_there_is_the_one_recognizer() -> None:
    [only] = load_config(settings=["clip.stride_s=0.7"]).of_each_recognizer()
    assert only.clip.stride_s == 0.7


def test_a_typo_in_the_list_names_the_entry() -> None:
    assert "recognizers.1.strid_s" in fails("recognizers=[{}, {strid_s: 1}]")


def test_an_entry_of_key_points_takes_no_key_that_has_no_effect_there() -> None:
    error = fails("recognizers=[{}, {mode: skeleton, weights: posture, clip_len: 8, labels: ava}]")
    assert "recognizers.1" in error
    assert "clip_len, labels has no effect with mode: skeleton" in error
