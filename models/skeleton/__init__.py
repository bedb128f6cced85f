"""Recognizers that see people's key points and boxes instead of pixels.

May import pose, inference and boxes.
"""
