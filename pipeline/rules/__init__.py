"""Where and when people are: zones, lines, schedules, the ground plane, and what rules make of it.

Nothing here reads a clock, a file or a camera: the same frames give the same results, in a run and
in a back-test.

May import types and models.
"""
