"""What runs on AWS, as a CDK app: one construct a file; the stack only composes and grants.

    python -m infra.synth --stage dev        the CloudFormation template, offline
    python -m infra.cdk --stage dev deploy   the same, and on to the account whose keys are there

A stage is one file in `stages/`, read by `settings.py`. `bundling/layer.py` and `bundling/function_code.py` make what
is uploaded. Nothing else here imports this room.
"""
