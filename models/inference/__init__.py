"""Networks that score clips, on the device at hand.

May import slowfast and boxes.
"""
