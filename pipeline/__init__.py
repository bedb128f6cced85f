"""Time, identity, threads, input and output: frames in, action events out."""
