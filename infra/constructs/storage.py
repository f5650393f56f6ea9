"""The file system that the store is on, and the two ways to it: the writer's and the readers'.

That readers cannot write holds three times over, so that one mistake does not undo it: their roles
are allowed to mount only; the file system's own policy denies them writing; and their access
point makes them a user to whom files of mode 0644 and folders of 0755 are closed.

EFS lets in whom either a role's policy or the file system's allows. Here the roles' policies
allow, and the file system's policy only denies: it binds every other role in the account too, and
that it exists shuts out clients that name no role.
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
    """An encrypted EFS file system that scales with its use, and one access point a user."""

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
            # True means that CDK leaves this policy alone. With False it would add a statement
            # that allows everyone to write through the mount targets.
            allow_anonymous_access=True,
        )
        self._writer = self._access_point("Writer", WRITER_ID)
        self._reader = self._access_point("Reader", READER_ID)

    def deny_writing(self, readers: Sequence[iam.IPrincipal]) -> None:
        """Deny writing to these principals, whatever is allowed to them elsewhere.

        EFS enforces few condition keys, and a principal's ARN is not among them, so that everyone
        but the writer could be denied: readers are named.
        """
        self._files.add_to_resource_policy(_deny("ReadersWriteNothing", readers, [_WRITE, _ROOT]))

    def mount(self, *, writes: bool) -> StoreMount:
        """What a function is given so that it has the file system at `mount.MOUNT_PATH`."""
        point = self._writer if writes else self._reader
        return StoreMount(self._files, point, writes=writes)

    def _access_point(self, name: str, user_id: str) -> efs.AccessPoint:
        # Either may be the first to be used: both then make the folder, and both as the writer's.
        return self._files.add_access_point(
            name,
            path=_FOLDER,
            create_acl=efs.Acl(owner_uid=WRITER_ID, owner_gid=WRITER_ID, permissions="0755"),
            posix_user=efs.PosixUser(uid=user_id, gid=user_id),
        )


def _policy() -> iam.PolicyDocument:
    """What nobody may do, whatever a role's policy allows.

    A condition on the access point's ARN cannot stand here, for it would make the file system
    depend on what depends on it; it stands in the roles' policies (mount.py).
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
