"""The command line: parse arguments, call a store client, print the result.

Start at `parser`, then `commands`. Nothing here touches a store's files.
"""
