"""Cameras, servers, brokers, proxies and clocks that tests and benchmarks share."""
