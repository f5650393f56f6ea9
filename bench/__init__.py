"""Measurements, and the real Lambda runtime that tests and measurements run functions in.

- `lambda_environment`: one Lambda execution environment on this machine;
- `emulator`: the binary that it stands on.
"""
