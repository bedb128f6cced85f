"""Data sets, augmentation, the training loop and its evaluation."""
