"""A function's mount of the file system, and its role's permissions there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

if TYPE_CHECKING:
    from aws_cdk import aws_efs as efs

MOUNT_PATH: Final = "/mnt/store"
STORE_PATH: Final = f"{MOUNT_PATH}/coldpress"
"""A folder in the mount: a store at the mount point itself could be made without the mount."""


class StoreMount(lambda_.FileSystem):
    """Mounts the file system through one access point, to read or also to write.

    CDK's own `from_efs_access_point` always allows writing; this class allows writing only with
    `writes`, and through this access point only.
    """

    def __init__(
        self, files: efs.FileSystem, access_point: efs.AccessPoint, *, writes: bool
    ) -> None:
        actions = ["elasticfilesystem:ClientMount"]
        if writes:
            actions.append("elasticfilesystem:ClientWrite")
        point_arn = access_point.access_point_arn
        super().__init__(
            arn=point_arn,
            local_mount_path=MOUNT_PATH,
            connections=files.connections,
            dependency=[files.mount_targets_available],
            policies=[
                iam.PolicyStatement(
                    actions=actions,
                    resources=[files.file_system_arn],
                    conditions={"StringEquals": {"elasticfilesystem:AccessPointArn": point_arn}},
                )
            ],
        )
