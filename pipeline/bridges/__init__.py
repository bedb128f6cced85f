"""Events from the stream on to webhooks and MQTT brokers. Imports subscriber and events."""
