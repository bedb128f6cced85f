"""Live cameras in, the newest frames out, whatever the cameras do.

Imports sources, runtime and telemetry.
"""
