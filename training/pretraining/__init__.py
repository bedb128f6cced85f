"""Pretraining without labels: a network learns to predict the features of teachers.

May import fitting, crops, labels, config, models and pipeline.
"""
