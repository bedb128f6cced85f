"""Networks that estimate the key points of people.

May import detectors, downloads, inference, boxes and cache_folder.
"""
