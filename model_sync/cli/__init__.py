"""The command line: parse arguments, call a store client, print the result.

Start at `parser`, then `commands`. No module here opens a store's files.
"""
