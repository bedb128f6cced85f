"""The section `bridges.notify`: mistakes are named, URLs are not shown."""

from __future__ import annotations

import pytest

from pipeline.config.schema import PipelineConfig, load_config
from pipeline.errors import ConfigError

TARGET = "bridges.notify.targets.phone"


def config_with(*settings: str) -> PipelineConfig:
    return load_config(None, settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (f"{TARGET}={{filter: []}}", r"phone: needs either url or url_file"),
        (f"{TARGET}={{url: a, url_file: b}}", r"phone: needs either url or url_file"),
        (f"{TARGET}={{url: a, filter: [colour=red]}}", r"filter: .*expected camera="),
        (f"{TARGET}={{url: a, text: '{{what.real}}'}}", r"text: .*the fields of a text are what"),
        (f"{TARGET}={{url: a, title: '{{'}}", r"title: .*a text is like"),
        (f"{TARGET}={{url: a, zone: Mars}}", r"zone: .*no time zone 'Mars'"),
        (f"{TARGET}={{url: a, zone: ../../etc/passwd}}", r"zone: .*no time zone"),
        (f"{TARGET}={{url: a, max_messages: 0}}", r"max_messages: .*greater than 0"),
        (
            f"{TARGET}={{url: a, quiet: {{begin: '25:00', end: '07:00', zone: UTC}}}}",
            r"quiet.begin: should be a time of day, like 22:00",
        ),
        (
            f"{TARGET}={{url: a, quiet: {{begin: '07:00', end: '07:00', zone: UTC}}}}",
            r"quiet: begin and end are the same time",
        ),
        (f"{TARGET}={{url: a, quiet: {{begin: '22:00'}}}}", r"quiet.end: missing"),
    ],
)
def test_a_mistake_is_named_by_its_key(settings: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_with(settings)


def test_a_url_is_in_no_text_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHONE_URL", "tgram://hunter2/hunter3")
    config = config_with(
        f"{TARGET}.url=${{PHONE_URL}}",
        "bridges.notify.targets.mail.url=mailtos://a:hunter4@example.com",
    )
    target = config.bridges.notify.targets["phone"]
    assert target.url is not None
    assert target.url.get_secret_value() == "tgram://hunter2/hunter3"
    assert "hunter" not in config.loggable_json() + config.model_dump_json() + repr(config)
    with pytest.raises(ConfigError) as caught:
        config_with("bridges.notify.targets.phone={url: [tgram://hunter2]}")
    assert "hunter2" not in str(caught.value)
