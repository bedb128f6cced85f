"""The targets of `bridge notify`: a subscriber and thread each, so that none waits for another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from pipeline.bridges.notify import MessageSettings, NotifyBridge
from pipeline.bridges.quiet_hours import QuietHours
from pipeline.bridges.retry import BridgeError, retrying_while_unavailable
from pipeline.commands.events import open_subscriber
from pipeline.commands.options import console
from pipeline.config.secret_file import read_secret
from pipeline.errors import ConfigError
from pipeline.event_filter import parse_filter
from pipeline.runtime.shutdown import Shutdown

if TYPE_CHECKING:
    from pipeline.bridges.apprise_service import AppriseService
    from pipeline.config.notify import NotifyConfig, NotifyTargetConfig
    from pipeline.config.schema import PipelineConfig
    from pipeline.subscriber import Subscriber

_TICK_S = 1.0  # between two looks at what was held back

log = logging.getLogger("behaviour-stream")


@dataclass(frozen=True, slots=True)
class NotifyTarget:
    """A receiver with its settings, name and service."""

    name: str
    section: NotifyTargetConfig
    service: AppriseService


def open_targets(config: NotifyConfig) -> list[NotifyTarget]:
    """Make the services of all targets.

    Raises:
        ConfigError: naming the key, if there are none or a URL is not one of apprise.
    """
    if not config.targets:
        raise ConfigError(
            "bridges.notify.targets: not set; who is to be notified, e.g. "
            "{phone: {url_file: phone.url}}"
        )
    # Apprise loads for seconds: what is wrong in the configuration is reported before.
    from pipeline.bridges.apprise_service import AppriseService

    found = []
    for name, section in config.targets.items():
        key = f"bridges.notify.targets.{name}"
        if section.url_file is not None:
            key, url = f"{key}.url_file", read_secret(section.url_file, f"{key}.url_file")
        else:
            assert section.url is not None  # the section has one of both
            key, url = f"{key}.url", section.url.get_secret_value()
        service = AppriseService(url.strip(), key=key, timeout_s=section.timeout_s)
        found.append(NotifyTarget(name, section, service))
    return found


def send_test_messages(targets: Sequence[NotifyTarget]) -> bool:
    """Send a message to every target, whatever its limits, and print how it went.

    Returns:
        Whether all of them accepted it.
    """
    accepted = True
    for target in targets:
        try:
            target.service.send("behaviour-stream", f"This is a test of the target {target.name}.")
        except BridgeError as error:
            accepted = False
            console.print(f"{target.name}: failed: {error}", highlight=False, markup=False)
        else:
            text = f"{target.name}: {target.service.name} accepted a message"
            console.print(text, highlight=False, markup=False)
    return accepted


def notify_until_stopped(
    targets: Sequence[NotifyTarget], config: PipelineConfig, stack: ExitStack, shutdown: Shutdown
) -> None:
    """Send events to every target, until a shutdown.

    Args:
        targets: the receivers.
        config: names the server, the stream and the folder of evidence.
        stack: closes what is opened.
        shutdown: ends it.

    Raises:
        EventStoreError: if the server refuses.
    """
    bridges = [_bridge_of(target, config) for target in targets]
    subscribers = [_subscriber_of(target, config, stack) for target in targets]
    shutdown.on_request(partial(_stop, subscribers))
    shutdown.bind_interrupt()
    errors: list[Exception] = []
    # Daemons: a second Ctrl-C waits for no service.
    threads = [
        threading.Thread(target=_forward, args=(*pair, shutdown, errors), daemon=True)
        for pair in zip(bridges, subscribers, strict=True)
    ]
    for thread in threads:
        thread.start()
    while not shutdown.stop.wait(_TICK_S):
        for bridge in bridges:
            bridge.send_summary()
    for thread, bridge in zip(threads, bridges, strict=True):
        thread.join()
        bridge.close()
    if errors:
        raise errors[0]


def _forward(
    bridge: NotifyBridge, subscriber: Subscriber, shutdown: Shutdown, errors: list[Exception]
) -> None:
    """Send the events of one target; an error ends all of them."""
    try:
        log.info("events of %s go to %s", subscriber.name, bridge.name)
        subscriber.handle(retrying_while_unavailable(bridge.send, shutdown.stop))
    except Exception as error:
        errors.append(error)
        shutdown.request()


def _stop(subscribers: Sequence[Subscriber]) -> None:
    for subscriber in subscribers:
        subscriber.stop()


def _subscriber_of(target: NotifyTarget, config: PipelineConfig, stack: ExitStack) -> Subscriber:
    return open_subscriber(
        config,
        stack,
        group=f"bridge-notify-{target.name}",
        wanted=parse_filter(target.section.filter),
        # An event in hand must not be taken for abandoned while an attempt lasts.
        claim_after_s=max(60.0, 12 * target.section.timeout_s),
    )


def _bridge_of(target: NotifyTarget, config: PipelineConfig) -> NotifyBridge:
    section, quiet = target.section, None
    if section.quiet is not None:
        begin, end = section.quiet.times()
        severities = frozenset(section.quiet.except_severity)
        quiet = QuietHours(begin, end, ZoneInfo(section.quiet.zone), severities)
    settings = MessageSettings(
        title=section.title,
        text=section.text,
        zone=None if section.zone is None else ZoneInfo(section.zone),
        quiet=quiet,
        max_messages=section.max_messages,
        window_s=section.window_s,
        max_age_s=section.max_age_s,
        evidence=config.evidence.folder_in(config.output),
    )
    return NotifyBridge(target.name, target.service, settings)
