"""Label files in their many forms, read into samples and checked.

May import models and pipeline.sources.
"""
