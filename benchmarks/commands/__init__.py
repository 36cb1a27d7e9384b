"""One small file per command of benchmarks."""
