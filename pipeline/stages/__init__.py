"""The stages from a frame to an action event, one generator each.

May import types and models.
"""
