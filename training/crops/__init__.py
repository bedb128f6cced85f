"""From labelled video to the cached person crops that training and evaluation read.

Imports labels.
"""
