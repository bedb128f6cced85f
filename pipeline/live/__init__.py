"""Live cameras in, the newest frames out, whatever the cameras do.

May import sources, runtime, telemetry and types.
"""
