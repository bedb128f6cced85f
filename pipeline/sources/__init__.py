"""Video files as sources of frames, each decoded in a separate process.

May import runtime and types.
"""
