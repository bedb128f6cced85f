"""Video files in, frames out, each decoded in a process of its own. Imports runtime and types."""
