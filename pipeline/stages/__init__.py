"""The steps from a frame to an action, one generator each.

May import types and models.
"""
