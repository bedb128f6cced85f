"""Files that a run writes: events as JSON lines, tracks, annotated video.

May import rules, runtime and types.
"""
