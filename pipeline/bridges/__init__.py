"""Events from the stream on to webhooks and MQTT brokers.

May import runtime.
"""
