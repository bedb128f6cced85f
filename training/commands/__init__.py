"""The commands `train` and `evaluate`.

May import training and pipeline.
"""
