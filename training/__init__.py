"""Data sets, augmentation, the training loop and its evaluation."""

import models  # noqa: F401 - before anything in here imports OpenVINO: it blocks its telemetry
