"""Named benchmarks: each measures us and peers in one run and writes `results/NAME.json`."""
