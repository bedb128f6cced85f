"""Weight files of four libraries, read into our networks.

May import slowfast.
"""
