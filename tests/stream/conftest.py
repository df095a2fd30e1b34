"""Its folder becomes importable for the tests below it, so that they share ``stream_fakes`` and ``night_clips``."""
