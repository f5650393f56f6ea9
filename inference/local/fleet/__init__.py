"""A fleet of Lambda environments on this machine: `python -m inference serve --runtime lambda`.

Each environment is Lambda's own Python runtime client under AWS's Runtime Interface Emulator,
stopped between its calls as Lambda stops it. From the outside in: command.py serves HTTP by a
fleet; http_answers.py makes calls of events, and HTTP answers of what comes of them; pool.py shares
calls out; slot.py keeps one environment at a time whole; environment.py is one environment, made
of emulator_process.py, freezer.py and runtime_api_proxy.py; cgroups.py limits it; process_supervisor.py ends it.

Linux only, for developers: none of it goes to Lambda (infra/bundling/function_code.py leaves it out), and nothing
that does imports it (a contract in pyproject.toml).
"""
