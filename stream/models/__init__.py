"""Segmenters that a user installs: what there is, where it lies, whether it is what it was, which one a run uses."""
