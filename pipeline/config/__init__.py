"""The configuration: its sections, and how it is loaded and checked.

Imports errors and redaction.
"""
