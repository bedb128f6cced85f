"""Events from the outbox on disk to the Redis stream, none lost, none twice.

May import config, redis_store, outputs, runtime and types.
"""
