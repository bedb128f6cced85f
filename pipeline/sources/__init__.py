"""Video files in, frames out, each decoded in a process of its own.

May import runtime and types.
"""
