"""A fleet of Lambda environments on this machine: `python -m inference serve --runtime lambda`.

Each environment runs Lambda's own Python runtime client under AWS's Runtime Interface Emulator, and
is frozen between its calls as on Lambda. From the outside in: command.py serves HTTP with a fleet;
http_answers.py turns events into calls and results into HTTP answers; pool.py assigns calls to
slots; slot.py replaces an environment that fails; environment.py is one environment, made of
emulator_process.py, freezer.py and runtime_api_proxy.py; cgroups.py limits its memory and
processors; process_supervisor.py ends its processes.

Linux only, for developers. It is not packaged for Lambda (infra/bundling/function_code.py), and no
code that is packaged imports it (a contract in pyproject.toml).
"""
