"""Numbers in, numbers out: detectors, features and the SlowFast recognizers."""
