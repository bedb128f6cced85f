"""Time, identity, threads, input and output: frames in, action events out."""

__version__ = "0.2.0"
