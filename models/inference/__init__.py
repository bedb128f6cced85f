"""Networks that score clips, on the device at hand. Imports slowfast."""
