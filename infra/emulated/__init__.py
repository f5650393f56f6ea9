"""AWS on this machine: MiniStack, on loopback, with a stage of this project deployed to it.

    python -m infra.emulated --stage dev --store .store

What is deployed is the stage's own cloud assembly, layers and all; `template.py` lists what is
changed in its template, and why. Functions run in Lambda's own runtime client, with nothing on
their path but their code, their layers and that client (bootstrap.py).

What it cannot show: nobody is authenticated or authorized, no mount, no network, no memory limit,
no freezing, no 6 MB limit; and it is slow, so nothing is timed through it. Linux only.

Needs requirements/dev.txt and infra.txt; MiniStack is in an environment of its own (ministack.txt).
"""
