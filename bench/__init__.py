"""Benchmarks, run by `make bench`, and a stand-in for EFS that benchmarks and tests use.

Functions are measured in the real Lambda runtime: `inference.local.fleet`.
"""
