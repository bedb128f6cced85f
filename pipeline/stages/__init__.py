"""The steps from a frame to an action, one generator each. Imports types, events and models."""
