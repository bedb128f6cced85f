"""The configuration: sections with defaults and meanings; how it is loaded, checked, documented.

May import bridges, redis_store and sources. They know whether a topic or the URL of a server is
valid, and the largest frame.
"""
