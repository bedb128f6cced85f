"""Measures of clips, events, detections and tracks; numbers in, numbers out. Imports labels."""
