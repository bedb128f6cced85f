"""Weight files of four libraries, read into our networks.

May import slowfast, downloads and cache_folder.
"""
