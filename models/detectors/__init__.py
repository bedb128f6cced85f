"""Networks that find people in an image and describe their appearance.

May import inference, boxes, detections, downloads and cache_folder.
"""
