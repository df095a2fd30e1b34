"""Frames in time: sources, stages, sinks, and the pipeline that keeps them running."""
