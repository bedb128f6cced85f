"""Snapshots and clips of what was decided on, and how long they are kept.

May import config, outputs, runtime, sources, types and models.
"""
