"""The command `bridge`: events from the stream to a webhook or an MQTT broker."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, ExitStack
from enum import StrEnum
from typing import Annotated, Any

import typer

from pipeline.commands.command_errors import explained_errors
from pipeline.commands.options import ConfigFile, OutputDir, RedisUrl, Settings, load
from pipeline.errors import ConfigError
from pipeline.runtime.shutdown import Shutdown, on_signals

log = logging.getLogger("behaviour-stream")
app = typer.Typer(rich_markup_mode="markdown")


class Bridge(StrEnum):
    """The sections of `bridges` in the configuration."""

    webhook = "webhook"
    mqtt = "mqtt"


@app.command(
    epilog="""
**Examples**

`run_pipeline.py bridge webhook --config site.yaml --redis redis://localhost:6379/0`

`run_pipeline.py bridge webhook --set bridges.webhook.url=https://example.com/events`

`run_pipeline.py bridge mqtt --config site.yaml --set 'bridges.mqtt.filter=[action=fight]'`
"""
)
def bridge(
    to: Annotated[Bridge, typer.Argument(help="Which one; it is configured under bridges.NAME.")],
    redis: RedisUrl = None,
    config_file: ConfigFile = None,
    settings: Settings = None,
    output: OutputDir = None,
) -> None:
    """Hand the events of the stream on to a webhook or an MQTT broker, until Ctrl-C.

    It begins with what comes after its first start; from then on it goes on where it stopped
    (consumer group `bridge-NAME`). Every event is delivered at least once: deduplicate by
    `event_id`. While the other side is away the events wait on the stream; one that it answers but
    does not take is tried five times and put aside.
    """
    from pipeline.bridges.retry import retrying_while_unavailable

    shutdown = Shutdown()
    with explained_errors(), ExitStack() as stack:
        stack.enter_context(on_signals(shutdown, lambda message: None))
        config = load(config_file, settings, output, redis)
        section = getattr(config.bridges, to)
        receiver = _open_webhook(section) if to is Bridge.webhook else _open_mqtt(section)
        subscriber = _open_subscriber(config, section, f"bridge-{to}", stack)
        shutdown.on_request(subscriber.stop)
        shutdown.bind(_end_now)
        bridged = stack.enter_context(receiver)
        log.info("events of %s go to the %s", subscriber.name, bridged.name)
        subscriber.handle(retrying_while_unavailable(bridged.send, shutdown.stop))


def _end_now() -> None:
    """Raised in the thread that waits, by its signal handler; the event in hand stays undone."""
    raise KeyboardInterrupt


def _open_webhook(section: Any) -> AbstractContextManager[Any]:
    from pipeline.bridges.webhook import WebhookBridge
    from pipeline.config.secret_file import read_secret

    if section.url is None:
        raise ConfigError("bridges.webhook.url: not set; the URL that shall get the events")
    secret = None
    if section.secret_file is not None:
        secret = read_secret(section.secret_file, "bridges.webhook.secret_file").encode()
    return WebhookBridge(section.url, secret=secret, timeout_s=section.timeout_s)


def _open_mqtt(section: Any) -> AbstractContextManager[Any]:
    from pipeline.bridges.mqtt import MqttBridge
    from pipeline.config.secret_file import read_secret

    if section.host is None:
        raise ConfigError("bridges.mqtt.host: not set; the broker that shall get the events")
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
    )


def _open_subscriber(config: Any, section: Any, group: str, stack: ExitStack) -> Any:
    from pipeline.event_filter import parse_filter
    from pipeline.redis_store.embedded_redis import running_server
    from pipeline.subscriber import Subscriber

    if config.redis.url == "none":
        raise typer.BadParameter(
            "there is nothing to read without a Redis server", param_hint="--redis"
        )
    url = stack.enter_context(running_server(config.redis.url, config.output / "redis"))
    subscriber = Subscriber(
        url,
        stream=config.redis.stream,
        group=group,
        wanted=parse_filter(section.filter),
        # An event in hand must not be taken for abandoned while an attempt lasts.
        claim_after_s=max(60.0, 6 * section.timeout_s),
    )
    stack.enter_context(subscriber)
    subscriber.ping()
    return subscriber
