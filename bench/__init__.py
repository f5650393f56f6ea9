"""Measurements, by `make bench`, and what they and the tests run on: a stand-in for EFS.

The real Lambda runtime that functions are measured in is `inference.local.fleet`.
"""
