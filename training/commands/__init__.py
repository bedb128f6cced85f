"""The commands `train` and `evaluate`. Imports report, evaluation and fitting."""
