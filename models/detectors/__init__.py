"""Networks that find people in an image and describe their appearance.

May import inference, boxes, detections and cache_folder.
"""
