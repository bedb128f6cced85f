"""The configured groups are those of the stage, and cost nothing where no label is a group's."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from models.slowfast.zoo import slowfast_compact
from pipeline.components import build_components
from pipeline.config.groups import GroupsConfig
from pipeline.config.schema import load_config
from pipeline.errors import ConfigError
from pipeline.recognizer_parts import group_clip_spec
from pipeline.stages.groups import GroupSpec
from testbed.fakes import OnePersonDetector
from tests.conftest import REPOSITORY

SPEC = replace(slowfast_compact(2).input_spec, labels=("walk", "fight"))


def test_the_defaults_are_those_of_the_stage() -> None:
    section = GroupsConfig()
    configured = {field.name: getattr(section, field.name) for field in fields(GroupSpec)}
    assert GroupSpec(**configured) == GroupSpec()


def test_groups_are_formed_only_for_labels_of_groups() -> None:
    section = load_config(None, ["groups.max_groups=2", "groups.stride_s=1.5"]).groups
    assert group_clip_spec(SPEC, section) is None
    spec = replace(SPEC, group_labels=("fight",), group_margin=0.3)
    of_groups = group_clip_spec(spec, section)
    assert of_groups is not None
    assert (of_groups.margin, of_groups.stride_s) == (0.3, 1.5)
    assert of_groups.groups == GroupSpec(max_groups=2)


class LabelledRecognizer:
    """As far as the components of a run look at one."""

    spec = replace(SPEC, group_labels=("fight",))
    default_decision = None


def test_what_is_a_groups_is_decided_for_groups_alone() -> None:
    config = load_config(None, ["tracker.name=bytetrack", "device=cpu"])
    components = build_components(
        config,
        REPOSITORY,
        detector=OnePersonDetector(),  # type: ignore[arg-type]
        recognizer=LabelledRecognizer(),  # type: ignore[arg-type]
    )
    assert components.group_spec is not None
    assert set(components.policy.of("group").rules) == {"fight"}
    assert set(components.policy.of("person").rules) == {"walk"}


@pytest.mark.parametrize(
    "setting",
    ["groups.max_members=1", "groups.max_groups=0", "groups.reach=-1", "groups.stride_s=0"],
)
def test_a_value_that_cannot_work_is_an_error_that_names_its_key(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting.split("=")[0]):
        load_config(None, [setting])
