"""The demo: a real recording and how it was cut."""
