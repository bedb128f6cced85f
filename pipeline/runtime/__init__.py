"""Threads, channels, processes, locks and signals: what a run stands on.

May import no other room.
"""
