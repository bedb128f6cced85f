"""Connections to Redis, the names of its keys, and the embedded server.

May import runtime.
"""
