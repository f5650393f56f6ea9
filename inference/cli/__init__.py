"""Commands of `python -m inference`, one module each.

Start at `inference.__main__`. Never imported on Lambda.
"""
