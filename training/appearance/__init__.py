"""The network of people's appearance: how it was made.

May import detector, models and pipeline.
"""
