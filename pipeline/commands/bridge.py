"""The command `bridge`: events from the stream to a webhook, an MQTT broker, or people."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.events import open_subscriber
from pipeline.commands.home_assistant import (
    EVERYTHING,
    follow_more,
    keep_fresh,
    presence_topic,
    restore,
    with_home_assistant,
)
from pipeline.commands.options import (
    EXIT_FAILED,
    ConfigFile,
    OutputDir,
    RedisUrl,
    Settings,
    explained_errors,
    load,
)
from pipeline.errors import ConfigError
from pipeline.runtime.shutdown import Shutdown, on_signals

if TYPE_CHECKING:
    from pipeline.bridges.home_assistant_bridge import HomeAssistantBridge
    from pipeline.bridges.mqtt import MqttBridge
    from pipeline.bridges.webhook import WebhookBridge
    from pipeline.config.delivery import MqttConfig, WebhookConfig
    from pipeline.config.schema import PipelineConfig

log = logging.getLogger("behaviour-stream")
app = typer.Typer(rich_markup_mode="markdown")


class Bridge(StrEnum):
    """The sections of `bridges` in the configuration."""

    webhook = "webhook"
    mqtt = "mqtt"
    notify = "notify"


@app.command(
    epilog="""
**Examples**

`behaviour-stream bridge webhook --config site.yaml --redis redis://localhost:6379/0`

`behaviour-stream bridge webhook --set bridges.webhook.url=https://example.com/events`

`behaviour-stream bridge mqtt --config site.yaml --set 'bridges.mqtt.filter=[action=fight]'`

`behaviour-stream bridge notify --config site.yaml --test`  one message to every target

`behaviour-stream bridge notify --config site.yaml`  alarms to phones, chats and mailboxes
"""
)
def bridge(
    to: Annotated[Bridge, typer.Argument(help="Which one; it is configured under bridges.NAME.")],
    test: Annotated[
        bool, typer.Option("--test", help="Of notify: send one message to every target, and end.")
    ] = False,
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Forward the events of the stream to a webhook, an MQTT broker or people, until Ctrl-C.

    It begins with the events after its first start; from then on it resumes where it stopped
    (consumer group `bridge-NAME`, of notify one per target: `bridge-notify-TARGET`). Every event is
    delivered at least once: deduplicate by `event_id`. While the receiver is unavailable the events
    wait on the stream; one that it refuses is tried five times and moved to the dead letters.
    """
    if test and to is not Bridge.notify:
        raise typer.BadParameter("only notify has messages to test", param_hint="--test")
    shutdown = Shutdown()
    with explained_errors("bridges"), ExitStack() as stack:
        stack.enter_context(on_signals(shutdown, lambda message: None))
        config = load(config_file, settings, output, redis)
        if to is Bridge.notify:
            _notify(config, stack, shutdown, test=test)
        else:
            _forward(to, config, stack, shutdown)


def _notify(config: PipelineConfig, stack: ExitStack, shutdown: Shutdown, *, test: bool) -> None:
    from pipeline.commands.notify import notify_until_stopped, open_targets, send_test_messages

    targets = open_targets(config.bridges.notify)
    if not test:
        notify_until_stopped(targets, config, stack, shutdown)
    elif not send_test_messages(targets):
        raise typer.Exit(EXIT_FAILED)


def _forward(to: Bridge, config: PipelineConfig, stack: ExitStack, shutdown: Shutdown) -> None:
    from pipeline.bridges.retry import retrying_while_unavailable
    from pipeline.event_filter import parse_filter

    section: WebhookConfig | MqttConfig
    receiver: WebhookBridge | MqttBridge | HomeAssistantBridge
    start = "$"  # of a new group
    if to is Bridge.webhook:
        section, receiver = config.bridges.webhook, _open_webhook(config.bridges.webhook)
        wanted = parse_filter(section.filter)
    else:
        section = config.bridges.mqtt
        receiver = mqtt = _open_mqtt(section, presence_topic(config))
        wanted = parse_filter(section.filter)
        if section.home_assistant.enabled:
            receiver = informed = with_home_assistant(mqtt, config, wanted)
            start, wanted = restore(informed, config), EVERYTHING
            follow_more(informed, config, stack, shutdown)
            keep_fresh(informed, shutdown)
    subscriber = open_subscriber(
        config,
        stack,
        group=f"bridge-{to}",
        start=start,
        wanted=wanted,
        # An event in hand must not be taken for abandoned while an attempt lasts.
        claim_after_s=max(60.0, 6 * section.timeout_s),
    )
    shutdown.on_request(subscriber.stop)
    shutdown.bind_interrupt()
    stack.enter_context(receiver)
    log.info("events of %s go to the %s", subscriber.name, receiver.name)
    subscriber.handle(retrying_while_unavailable(receiver.send, shutdown.stop))


def _open_webhook(section: WebhookConfig) -> WebhookBridge:
    from pipeline.bridges.webhook import WebhookBridge
    from pipeline.config.secret_file import read_secret

    if section.url is None:
        raise ConfigError("bridges.webhook.url: not set; the URL that receives the events")
    secret = None
    if section.secret_file is not None:
        secret = read_secret(section.secret_file, "bridges.webhook.secret_file").encode()
    return WebhookBridge(
        section.url, secret=secret, timeout_s=section.timeout_s, body_format=section.format
    )


def _open_mqtt(section: MqttConfig, presence: str | None) -> MqttBridge:
    from pipeline.bridges.mqtt import MqttBridge
    from pipeline.config.secret_file import read_secret

    if section.host is None:
        raise ConfigError("bridges.mqtt.host: not set; the broker that receives the events")
    password = None
    if section.password_file is not None:
        password = read_secret(section.password_file, "bridges.mqtt.password_file")
    return MqttBridge(
        section.host,
        port=section.port,
        tls=section.tls,
        username=section.username,
        password=password,
        topic=section.topic,
        timeout_s=section.timeout_s,
        protocol=section.protocol,
        presence=presence,
    )
