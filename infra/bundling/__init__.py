"""Build the uploads of a stage: layers, function code, bytecode.

Start at `assets`. No AWS resources are declared here.
"""
