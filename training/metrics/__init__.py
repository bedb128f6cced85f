"""Measures of clips, events, detections and tracks; numbers in, numbers out.

May import labels, crops, models and pipeline.
"""
