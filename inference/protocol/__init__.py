"""The Open Inference Protocol as pure functions: requests to arrays, arrays to responses.

Start at `requests` and `responses`. Each encoding has its own module. No HTTP, no models.
"""
