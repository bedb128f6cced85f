"""The models of a run: what does not go together is explained before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.checkpoints.checkpoint import save_recognizer
from models.inference.scene_recognizer import SceneRecognizer
from pipeline import components
from pipeline.components import Components, build_components, build_detector
from pipeline.config.decision import DecisionConfig
from pipeline.config.schema import load_config
from pipeline.default_thresholds import decision_policy
from pipeline.errors import ConfigError
from pipeline.tracker_parts import reattach_spec
from tests.conftest import REPOSITORY
from tests.models.published_files import small_network


def build(path: Path, *settings: str) -> Components:
    config = load_config(
        None,
        [f"recognizer.weights={path}", "detector.weights=builtin", *settings],
    )
    return build_components(config, REPOSITORY)


@pytest.fixture
def scene_weights(tmp_path: Path) -> Path:
    path = tmp_path / "scene.safetensors"
    save_recognizer(path, small_network(head="roi", spatial_strides=(1, 2, 2, 1)))
    return path


def test_a_network_for_boxes_sees_scenes(scene_weights: Path) -> None:
    components = build(scene_weights, "recognizer.mode=scene", "clip.crop_size=96")
    assert isinstance(components.recognizer, SceneRecognizer)
    assert components.clip_spec.crop_size == 96


def test_the_mode_must_fit_the_network(scene_weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has a RoI head; set recognizer\.mode=scene"):
        build(scene_weights)
    crops = tmp_path / "crops.safetensors"
    save_recognizer(crops, small_network())
    with pytest.raises(ConfigError, match=r"has no RoI head; set recognizer\.mode=crop"):
        build(crops, "recognizer.mode=scene")


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_scenes_run_on_the_backend_that_is_asked_for(scene_weights: Path, backend: str) -> None:
    settings = ("recognizer.mode=scene", f"recognizer.backend={backend}", "device=cpu")
    assert f"by {backend}, whole scenes" in build(scene_weights, *settings).recognizer.describe()


def test_a_class_that_the_detector_does_not_have_is_named_by_its_key() -> None:
    section = load_config(None, ["detector.weights=builtin", "detector.person_class=head"]).detector
    with pytest.raises(ConfigError, match=r"detector\.person_class: builtin has no class 'head'"):
        build_detector(section, REPOSITORY, "cpu")


def test_a_file_of_another_digest_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_bytes(b"replaced")
    settings = [f"detector.weights={tmp_path}/mine.pt", f"detector.sha256={'ab' * 32}"]
    with pytest.raises(ConfigError, match=r"detector\.weights: .*mine\.pt: its SHA-256 is "):
        build_detector(load_config(None, settings).detector, REPOSITORY, "cpu")


def test_a_label_that_the_recognizer_does_not_have_is_named_with_the_one_that_was_meant(
    caplog: pytest.LogCaptureFixture,
) -> None:
    labels = ("wave", "nothing")
    rule = {"start_threshold": 0.9}
    for typo, words in (("wvae", "did you mean wave"), ("xyz", "its 2 labels are wave, nothing")):
        decision = DecisionConfig(per_action={typo: rule})
        with pytest.raises(ConfigError, match=rf"decision.per_action.{typo}: .*{words}"):
            decision_policy(labels, decision)
    decision_policy(labels, DecisionConfig(background=("nothing", "wvae")))
    assert "decision.background: wvae: the recognizer has no such label" in caplog.text
    caplog.clear()
    decision_policy(("wave",), DecisionConfig())
    assert not caplog.records


@pytest.fixture
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing a recognizer takes the longest: a mistake is found before."""

    def prepare(*_: object) -> None:
        raise AssertionError("a recognizer was prepared")

    monkeypatch.setattr(components, "prepare_recognizer", prepare)


@pytest.mark.usefixtures("unprepared")
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["decision.per_action.clas_0.min_gap_s=1"], r"no such label; did you mean class_0\?"),
        (["clip.clip_len=7"], "clip: clip_len 7 must be a multiple of alpha"),
        (["detector.weights=no/such.pt"], r"detector\.weights: no detector weights at no/such\.pt"),
        (["detector.person_class=head"], r"detector\.person_class"),
    ],
)
def test_mistakes_are_found_before_the_recognizer_is_prepared(
    tmp_path: Path, settings: list[str], expected: str
) -> None:
    path = tmp_path / "crops.safetensors"
    save_recognizer(path, small_network())
    with pytest.raises(ConfigError, match=expected):
        build(path, *settings)


def test_a_list_of_recognizers_has_clips_and_labels_of_each(tmp_path: Path) -> None:
    weights = tmp_path / "crops.safetensors"
    network = small_network()
    save_recognizer(weights, network)
    first, second = "stride_s: 0.4", "mode: skeleton, weights: posture, stride_s: 0.1"
    components = build(weights, "pose.weights=none", f"recognizers=[{{{first}}}, {{{second}}}]")
    assert [part.needs_key_points for part in components.parts] == [False, True]
    assert [part.stride_s for part in components.parts] == [0.4, 0.1]
    assert components.labels == (*network.input_spec.labels, "fall", "lying")
    assert components.policy.fresh_s == 0.8
    assert components.model_name == f"{network.input_spec.name}+posture_rules"
    assert components.pose is not None


def test_what_runs_for_falls_needs_no_weights_of_a_recognizer() -> None:
    settings = ["detector.weights=builtin", "pose.weights=none"]
    config = load_config(REPOSITORY / "configs/falls.yaml", settings)
    components = build_components(config, REPOSITORY)
    assert components.labels == ("fall", "lying")
    assert [part.name for part in components.parts] == ["posture_rules"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "recognizers=[{mode: skeleton, weights: posture}, {mode: skeleton, weights: x.pt}]",
            r"recognizers\.1: recognizer\.weights: x\.pt, but with .* there is posture alone",
        ),
        (
            "recognizers=[{weights: no.safetensors}, {mode: skeleton, weights: posture}]",
            r"recognizers\.0: recognizer\.weights: .*no\.safetensors",
        ),
        ("pose.weights=no.pt", r"pose\.weights: no pose weights at no\.pt; names are blazepose"),
    ],
)
def test_a_mistake_in_the_list_names_its_key(setting: str, message: str) -> None:
    settings = ["detector.weights=builtin", setting]
    with pytest.raises(ConfigError, match=message):
        build_components(load_config(REPOSITORY / "configs/falls.yaml", settings), REPOSITORY)


def test_a_scene_recognizer_is_the_only_one(scene_weights: Path) -> None:
    entries = "recognizers=[{mode: scene}, {mode: skeleton, weights: posture}]"
    with pytest.raises(ConfigError, match="mode: scene is possible for a single recognizer only"):
        build(scene_weights, "pose.weights=none", entries)


@pytest.mark.parametrize(("appearance", "distance"), [("compact", 0.35), ("mobilenet", 0.2)])
def test_lost_people_are_waited_for_as_configured_and_told_apart_as_the_network_can(
    appearance: str, distance: float
) -> None:
    settings = [f"tracker.appearance={appearance}", "tracker.reattach_s=1.5"]
    spec = reattach_spec(load_config(None, settings).tracker)
    assert spec.reattach_s == 1.5
    assert spec.likeness.feature_distance == distance
