"""What a run reports about itself: counters, health, Prometheus, systemd, the console.

Imports types and sources.
"""
