"""The training run: epochs, optimization, validation, and a state that survives a kill.

Imports crops and metrics.
"""
