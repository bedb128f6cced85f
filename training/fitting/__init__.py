"""The training run: epochs, optimization, validation, and a state that survives a kill.

May import crops, metrics, labels, config, console, register, models and pipeline.
"""
