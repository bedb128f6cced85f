"""The configuration: its sections, and how it is loaded and checked.

May import bridges and redis_store.
"""
