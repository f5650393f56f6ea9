"""CDK constructs, one a file.

Start at `functions`. Grants are made in `infra.stack`, where both parties are visible.
"""
