"""Live streams: sources that come back, channels in which the newest frame wins, outputs that may fail alone."""
