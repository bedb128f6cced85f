"""The commands of the command line; each builds what it needs and runs it.

Imports every other room.
"""
