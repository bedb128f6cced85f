"""Delivery of events from the outbox on disk to the Redis stream, each exactly once.

May import config, redis_store, outputs, runtime and types.
"""
