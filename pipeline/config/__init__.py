"""The configuration: sections with defaults and meanings; how it is loaded, checked, documented.

May import bridges and redis_store: who knows whether a topic or a URL is valid.
"""
