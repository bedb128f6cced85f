"""Keep what decisions are made of, without pixels, and read it again.

May import outputs, runtime, types and models.
"""
