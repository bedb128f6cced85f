"""How good a model is: on clips, and in practice on long video."""
