"""The command behind every number in docs/benchmarks.md."""
