"""From labelled video to the cached person crops that training and evaluation read.

May import labels, config, console, models and pipeline.
"""
