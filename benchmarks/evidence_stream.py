"""The stream that the processes of `benchmarks.evidence` publish to."""

STREAM = "evidence:events"
