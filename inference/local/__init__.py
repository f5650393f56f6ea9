"""Serve on one machine: the HTTP gateway, and a fleet of emulated Lambda environments.

Start at `server` for one process, at `fleet` for a fleet. Not packaged for Lambda.
"""
