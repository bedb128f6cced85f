"""Connect to cameras: RTSP, HTTP, their logins and TLS.

FFmpeg opens a camera through this package, so that it reaches the configured host alone.
"""
