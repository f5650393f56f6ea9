"""The HTTP API: API Gateway events in, answers out.

Start at `application`. HTTP statuses are decided here and nowhere else; tensors are parsed in
`inference.protocol`, versions are chosen in `inference.serving`.
"""
