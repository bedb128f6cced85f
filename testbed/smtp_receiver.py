"""An SMTP server on loopback that keeps the messages it gets."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from testbed.free_port import free_port


class SmtpReceiver:
    """What the server received, and how it answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: queue.Queue[EmailMessage] = queue.Queue()
        self.answer = "250 OK"
        self.refused: dict[str, str] = {}  # answers to addresses that do not get mail
        self.largest_bytes = 32_000_000

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        """Take an address or not; called by the server."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a message; called by the server."""
        if len(envelope.content) > self.largest_bytes:
            return "552 too large"
        if self.answer.startswith("250"):
            self.messages.put(message_from_bytes(envelope.content, policy=default))
        return self.answer

    def next(self) -> EmailMessage:
        """Wait for the next message and return it."""
        return self.messages.get(timeout=60)


@contextmanager
def smtp_receiver() -> Iterator[SmtpReceiver]:
    """Run a server in a thread for the duration of the block."""
    receiver = SmtpReceiver(free_port())
    controller = Controller(receiver, hostname="127.0.0.1", port=receiver.port)
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()
