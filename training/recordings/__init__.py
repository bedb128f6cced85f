"""Long recordings put together from labelled clips and everyday video, to count alarms on.

May import evaluation, labels, console, models and pipeline.
"""
