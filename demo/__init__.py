"""A night street that is computed, not filmed: the bundled demo clip and the clips of the benchmarks come from it."""
