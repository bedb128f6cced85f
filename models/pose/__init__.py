"""Networks that estimate the key points of people.

May import detectors, inference, boxes and cache_folder.
"""
