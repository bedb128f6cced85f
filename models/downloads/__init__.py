"""Files from the internet, fetched once within a time limit and compared with their digest.

May import no other room.
"""
