"""Labelled videos, and the people cut out of them."""
