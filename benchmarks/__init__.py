"""The command behind every number in the README."""
