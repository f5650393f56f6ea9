"""The HTTP API: turns API Gateway events into answers.

Start at `application`. Only this room decides HTTP statuses. Tensors are parsed in
`inference.protocol`, and versions are chosen in `inference.serving`.
"""
