"""Commands that produce the numbers in docs/benchmarks.md."""
