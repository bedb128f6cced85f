"""The configuration: sections with defaults and meanings; how it is loaded, checked, documented.

May import bridges, redis_store, rules and sources. They know whether a topic, the URL of a server,
a zone or a schedule is valid, and the largest frame.
"""
