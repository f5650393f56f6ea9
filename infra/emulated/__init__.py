"""AWS on this machine: MiniStack, on loopback, with a stage of this project deployed to it.

    python -m infra.emulated --stage dev --store .store

The deployment is the stage's own cloud assembly with its layers; `template.py` lists the changes of
its template, with reasons. Functions run in Lambda's own runtime client, with only their code,
their layers and that client on their path (bootstrap.py). Start at `run.py`.

Signatures are verified. Functions may do what their roles and the buckets' policies allow; callers
with the key of `environ`, the account's root, may do everything. Not emulated: the mount and its
users, the network, TLS, limits of memory and payload, freezing. Too slow for measurements. Linux
only. Needs requirements/cloud.txt; MiniStack has an environment of its own (ministack.txt).
"""
