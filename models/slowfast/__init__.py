"""The SlowFast networks: backbone, heads, losses and their recipes.

May import no other room.
"""
