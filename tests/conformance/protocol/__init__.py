"""Does a server speak the Open Inference Protocol (V2) over HTTP? README.md says how to ask.

Depends on pytest, httpx and numpy alone: this folder can be copied into any project.
"""
