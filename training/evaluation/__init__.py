"""How good a model is: on clips, and in practice on long video.

May import crops, metrics, labels, console, models and pipeline.
"""
