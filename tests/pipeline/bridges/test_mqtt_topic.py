"""Templates of topics: names become one level each, what no broker takes is refused."""

from __future__ import annotations

import pytest

from pipeline.bridges.mqtt_topic import check_topic, topic_of
from tests.pipeline.decided_items import make_alarm_event, make_camera_event, make_event


@pytest.mark.parametrize(
    ("template", "topic"),
    [
        ("behaviour/{camera_id}/{kind}", "behaviour/a%2Fb%2B%23%25%24/start"),
        ("{camera_id}/{action}", "a%2Fb%2B%23%25%24/walking"),
        ("home/{run_id}", "home/run"),
        ("fixed", "fixed"),
    ],
)
def test_names_in_a_topic_are_one_level_each(template: str, topic: str) -> None:
    assert topic_of(check_topic(template), make_event(camera_id="a/b+#%$")) == topic


def test_the_action_of_a_camera_event_is_a_dash() -> None:
    assert topic_of("{action}/{kind}", make_camera_event()) == "-/camera_up"
    assert topic_of("{rule}/{kind}", make_camera_event()) == "-/camera_up"


def test_the_topic_of_an_alarm_has_its_rule() -> None:
    assert topic_of("{rule}/{kind}/{action}", make_alarm_event()) == "fight/alarm/-"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("", "not empty"),
        ("$SYS/x", "does not begin with"),
        ("a/#", "no wildcards"),
        ("a/+/b", "no wildcards"),
        ("a/{camera}", "fields of a topic are camera_id, kind, action, rule, run_id"),
        ("a/{camera_id.__class__}", "fields of a topic"),
        ("a/{kind!r:>99}", "fields of a topic"),
        ("a/{kind", "like behaviour/"),
    ],
)
def test_a_topic_that_no_broker_takes_is_refused(template: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_topic(template)
