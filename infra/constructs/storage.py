"""The store's file system, and its two access points: the writer's and the readers'.

Three separate rules keep readers from writing, so that one mistake does not let them: their roles
may only mount; the file system's policy denies them writing; and their access point makes them a
user who cannot write to files of mode 0644 and folders of mode 0755.

EFS accepts a client if its role's policy or the file system's policy allows it. Here the roles'
policies allow, and the file system's policy only denies: it applies to every other role of the
account too, and its existence excludes clients without a role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.mount import StoreMount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.constructs.network import Network

WRITER_ID: Final = "1001"
READER_ID: Final = "2000"

_FOLDER: Final = "/stores"
_MOUNT: Final = "elasticfilesystem:ClientMount"
_WRITE: Final = "elasticfilesystem:ClientWrite"
_ROOT: Final = "elasticfilesystem:ClientRootAccess"


class Storage(Construct):
    """An encrypted EFS file system with elastic throughput, and one access point a user."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        network: Network,
        keeps_data: bool,
        backs_up: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self._files = efs.FileSystem(
            self,
            "Files",
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_group=ec2.SecurityGroup(
                self,
                "Door",
                vpc=network.vpc,
                description="The file system: in from the functions",
                allow_all_outbound=False,
            ),
            encrypted=True,
            # Bursting, the default, falls to 1 MiB/s when its credits are spent.
            throughput_mode=efs.ThroughputMode.ELASTIC,
            performance_mode=efs.PerformanceMode.GENERAL_PURPOSE,
            enable_automatic_backups=backs_up,
            removal_policy=RemovalPolicy.RETAIN if keeps_data else RemovalPolicy.DESTROY,
            file_system_policy=_policy(),
            # True makes CDK leave this policy alone. With False, CDK would add a statement that
            # allows everyone to write through the mount targets.
            allow_anonymous_access=True,
        )
        self._writer = self._access_point("Writer", WRITER_ID)
        self._reader = self._access_point("Reader", READER_ID)

    def deny_writing(self, readers: Sequence[iam.IPrincipal]) -> None:
        """Deny writing to these principals, whatever other policies allow.

        Denying everyone but the writer would need a condition on the principal's ARN, which EFS
        does not support: so the readers are named.
        """
        self._files.add_to_resource_policy(_deny("ReadersWriteNothing", readers, [_WRITE, _ROOT]))

    def mount(self, *, writes: bool) -> StoreMount:
        """Return the mount that gives a function the file system at `mount.MOUNT_PATH`."""
        point = self._writer if writes else self._reader
        return StoreMount(self._files, point, writes=writes)

    def _access_point(self, name: str, user_id: str) -> efs.AccessPoint:
        # Either access point may be used first, and makes the folder: both make it the writer's.
        return self._files.add_access_point(
            name,
            path=_FOLDER,
            create_acl=efs.Acl(owner_uid=WRITER_ID, owner_gid=WRITER_ID, permissions="0755"),
            posix_user=efs.PosixUser(uid=user_id, gid=user_id),
        )


def _policy() -> iam.PolicyDocument:
    """Return the denials that apply to everyone, whatever a role's policy allows.

    A condition on the access point's ARN would be a circular dependency of the file system, so it
    is in the roles' policies (mount.py).
    """
    everyone, everything = [iam.AnyPrincipal()], [_MOUNT, _WRITE, _ROOT]
    return iam.PolicyDocument(
        statements=[
            _deny("NobodyIsRoot", everyone, [_ROOT]),
            _deny(
                "OnlyEncrypted",
                everyone,
                everything,
                {"Bool": {"aws:SecureTransport": "false"}},
            ),
            _deny(
                "OnlyThroughAccessPoints",
                everyone,
                everything,
                {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
            ),
        ]
    )


def _deny(
    sid: str,
    principals: Sequence[iam.IPrincipal],
    actions: Sequence[str],
    conditions: dict[str, Any] | None = None,
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=principals,
        actions=actions,
        resources=["*"],
        conditions=conditions,
    )
