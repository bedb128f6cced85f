"""Threads, channels, child processes, locks and signals.

May import no other room.
"""
