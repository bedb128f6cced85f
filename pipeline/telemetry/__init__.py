"""What a run reports about itself: counters, health, Prometheus, systemd, the console.

May import rules, sources and types.
"""
