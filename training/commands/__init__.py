"""The commands `train` and `evaluate`.

May import training, models and pipeline.
"""
