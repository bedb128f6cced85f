"""The commands of the command line; each builds what it needs and runs it.

May import pipeline and models.
"""
