"""Reports of an evaluation: HTML, JSON, tables, plots.

May import evaluation, metrics, crops, labels, console, register, models and pipeline.
"""
