"""Import Python packages from published package sets.

Start at `active_sets`, then `importer`. `model_sync.package_sets` builds the sets.
"""
