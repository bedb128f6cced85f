"""The SlowFast networks: backbone, heads, losses and their recipes.

Read `slowfast` first, then `resnet3d`, `residual_blocks` and `heads`; `recognizer3d` puts them
together. `non_local`, `backbone` (freezing, activation checkpointing) and `roi_head` come last.

May import no other room.
"""
