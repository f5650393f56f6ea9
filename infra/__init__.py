"""The deployment on AWS, as a CDK app: one construct a file; the stack only composes and grants.

    python -m infra.synth --stage dev        the CloudFormation template, offline
    python -m infra.cdk --stage dev deploy   the same, deployed to the account of the credentials

A stage is one file in `stages/`, read by `settings.py`. Start at `stack.py`; `bundling/` builds
the uploads, `emulated/` runs a stage on this machine. No other package imports this one.
"""
