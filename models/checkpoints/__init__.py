"""Weight files of four libraries, read into our networks. Imports slowfast."""
