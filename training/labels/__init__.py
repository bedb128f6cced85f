"""Label files in their many forms, read into samples and checked. Imports errors alone."""
