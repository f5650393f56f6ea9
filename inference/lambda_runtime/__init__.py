"""Requirements of Lambda on a process: startup, the extension, and restarting in place.

Start at `startup`. No HTTP and no models; `inference.predict_function` composes them.
"""
