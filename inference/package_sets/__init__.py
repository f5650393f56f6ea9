"""Import Python packages from published package sets.

Start at `active_sets`, then `importer`. Sets are built in `model_sync.package_sets`, not here.
"""
