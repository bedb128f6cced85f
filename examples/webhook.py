"""POST the start of every fight to a URL: python examples/webhook.py REDIS_URL HOOK_URL."""

import sys

import requests

from pipeline.events import Event, encode_event
from pipeline.subscriber import EventFilter, Subscriber

redis_url, hook_url = sys.argv[1:]


def post(event: Event) -> None:
    """Returns when the receiver has it."""
    headers = {"Content-Type": "application/json"}
    answer = requests.post(hook_url, encode_event(event), headers=headers, timeout=10)
    answer.raise_for_status()  # what raises is tried again, five times in all


fights = EventFilter(actions=("fight",), kinds=("start",))
with Subscriber(redis_url, group="fights", wanted=fights) as subscriber:
    subscriber.handle(post)
