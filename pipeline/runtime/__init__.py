"""Threads, channels, processes, locks and signals: what a run stands on.

Imports nothing of ours.
"""
