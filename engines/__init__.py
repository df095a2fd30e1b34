"""Runs trained bundles and the tone-curve grid; knows a bundle on disk and a device, nothing of media or torch."""
