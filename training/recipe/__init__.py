"""How the bundled recognizer was trained: its data, labels and corrections.

May import crops, labels, models and pipeline.
"""
