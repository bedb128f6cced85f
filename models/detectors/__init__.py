"""Networks that find people in an image and describe their appearance.

May import inference, boxes and detections.
"""
