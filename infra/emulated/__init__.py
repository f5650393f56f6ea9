"""AWS on this machine: MiniStack, on loopback, with a stage of this project deployed to it.

    python -m infra.emulated --stage dev --store .store

What is deployed is the stage's own cloud assembly, layers and all; `template.py` lists what is
changed in its template, and why. Functions run in Lambda's own runtime client, with nothing on
their path but their code, their layers and that client (bootstrap.py).

Signatures are verified; functions may do what their roles and the buckets' policies allow, and
callers with `environ`'s key, which is the account's root, everything. What it cannot show: a mount
and its users, a network, TLS, limits of memory and payload, freezing. It is slow: nothing is timed
through it. Linux only.

Needs requirements/cloud.txt; MiniStack is in an environment of its own (ministack.txt).
"""
