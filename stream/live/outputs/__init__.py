"""Where a live stream goes: one file for each kind of output, and what they have in common."""
