"""Delivery of events from the outbox on disk to the Redis stream, each exactly once; of counts.

May import config, redis_store, outputs, rules, runtime and types.
"""
