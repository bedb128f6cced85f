"""Files that a run writes: events as JSON lines, tracks, annotated video.

Imports types and events.
"""
