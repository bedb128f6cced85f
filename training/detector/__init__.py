"""The compact person detector: how it was made.

May import labels, metrics, models and pipeline.
"""
