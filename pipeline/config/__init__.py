"""The configuration: sections with defaults and meanings; how it is loaded, checked, documented.

May import bridges and redis_store. They know whether a topic or the URL of a server is valid.
"""
