"""The sync function's entry point: `model_sync.sync_function.handler`.

Importing this module reads the settings (a missing one fails the function's INIT, naming the
variable) and creates the S3 client. No store and no bucket is touched before the first request.
"""

from __future__ import annotations

import os
from typing import Final

from model_sync.sources.s3 import s3_client
from model_sync.sync_job.handler import SyncJob
from model_sync.sync_job.settings import JobSettings

handler: Final = SyncJob(JobSettings.from_environ(os.environ), s3_client())
