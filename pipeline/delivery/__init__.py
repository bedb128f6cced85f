"""Events from the outbox on disk to the Redis stream, none lost, none twice.

Imports redis_store, outputs and runtime.
"""
