"""The SlowFast networks: backbone, heads, losses and their recipes. Imports torch alone."""
