"""The compact person detector: how it was made."""
