"""The Open Inference Protocol as pure functions: requests to arrays, arrays to responses.

Start at `requests` and `responses`; one datatype or encoding is one module. No HTTP, no models.
"""
