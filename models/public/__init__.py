"""The checkpoints of other projects' model zoos, by name: a table, and their files on this machine.

May import downloads and cache_folder.
"""
