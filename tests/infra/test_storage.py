from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest

from tests.infra.iam_policies import Request, identity_statements, is_allowed
from tests.infra.templates import text

if TYPE_CHECKING:
    from infra.settings import StageSettings
    from tests.infra.templates import Resource, Resources

MOUNT = "elasticfilesystem:ClientMount"
WRITE = "elasticfilesystem:ClientWrite"
ROOT = "elasticfilesystem:ClientRootAccess"
ROLES = {"Predict": "Reader", "Batch": "Reader", "Sync": "Writer"}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def access_point(resources: Resources, name: str) -> Resource:
    return resources.one("AWS::EFS::AccessPoint", f"StorageFiles{name}")


def asks(
    resources: Resources, role: str, action: str, point: str | None, *, encrypted: bool = True
) -> Request:
    context = {
        "aws:SecureTransport": "true" if encrypted else "false",
        "elasticfilesystem:AccessedViaMountTarget": "true",
    }
    if point:
        name = access_point(resources, point).name
        context["elasticfilesystem:AccessPointArn"] = (
            "arn:${AWS::Partition}:elasticfilesystem:${AWS::Region}:${AWS::AccountId}:"
            f"access-point/${{{name}}}"
        )
    return Request(
        f"${{{resources.role(role).name}.Arn}}",
        action,
        f"${{{resources.one('AWS::EFS::FileSystem').name}.Arn}}",
        context,
    )


def decide(resources: Resources, role: str, request: Request, *more: dict[str, str]) -> bool:
    identity = identity_statements(resources, resources.role(role))
    policy = resources.one("AWS::EFS::FileSystem")["FileSystemPolicy"]["Statement"]
    return is_allowed(request, [*identity, *more], policy)


@pytest.mark.parametrize("encrypted", [True, False], ids=["encrypted", "in the clear"])
@pytest.mark.parametrize("point", ["Reader", "Writer", None])
@pytest.mark.parametrize("action", [MOUNT, WRITE, ROOT])
@pytest.mark.parametrize("role", ROLES)
def test_readers_mount_through_theirs_and_the_writer_writes_through_its(
    resources: Resources, role: str, action: str, point: str | None, encrypted: bool
) -> None:
    may = {"Reader": {MOUNT}, "Writer": {MOUNT, WRITE}}[ROLES[role]]
    wanted = encrypted and point == ROLES[role] and action in may
    request = asks(resources, role, action, point, encrypted=encrypted)
    assert decide(resources, role, request) is wanted


@pytest.mark.parametrize("role", ["Predict", "Batch"])
def test_a_reader_cannot_write_even_if_its_role_is_allowed_everything(
    resources: Resources, role: str
) -> None:
    for action, point in product([WRITE, ROOT], ["Reader", "Writer", None]):
        assert not decide(resources, role, asks(resources, role, action, point), EVERYTHING)


@pytest.mark.parametrize("role", ROLES)
def test_nobody_is_root_or_unencrypted_or_past_the_access_points_whatever_is_allowed(
    resources: Resources, role: str
) -> None:
    for point in ("Reader", "Writer"):
        assert not decide(resources, role, asks(resources, role, ROOT, point), EVERYTHING)
        plain = asks(resources, role, MOUNT, point, encrypted=False)
        assert not decide(resources, role, plain, EVERYTHING)
    assert not decide(resources, role, asks(resources, role, MOUNT, None), EVERYTHING)


def test_a_client_that_names_no_role_is_let_in_nowhere(resources: Resources) -> None:
    policy = resources.one("AWS::EFS::FileSystem")["FileSystemPolicy"]["Statement"]
    for action, point in product([MOUNT, WRITE, ROOT], ["Reader", "Writer", None]):
        request = asks(resources, "Predict", action, point)
        anonymous = Request("anonymous", action, request.resource, request.context)
        assert not is_allowed(anonymous, (), policy)


def test_a_reader_that_could_write_by_iam_could_not_by_posix(resources: Resources) -> None:
    reader, writer = (access_point(resources, name) for name in ("Reader", "Writer"))
    root = reader["RootDirectory"]
    created = root["CreationInfo"]
    assert reader["PosixUser"] == {"Uid": "2000", "Gid": "2000"}
    assert writer["PosixUser"] == {"Uid": "1001", "Gid": "1001"}
    assert created["OwnerUid"] != reader["PosixUser"]["Uid"]
    assert created["OwnerGid"] != reader["PosixUser"]["Gid"]
    others = int(created["Permissions"], 8) & 0o007
    assert others == 0o005, "others may read and enter, and no more"


def test_both_users_see_one_folder_and_either_may_be_the_first(resources: Resources) -> None:
    reader, writer = (access_point(resources, name) for name in ("Reader", "Writer"))
    assert reader["RootDirectory"] == writer["RootDirectory"]
    created = writer["RootDirectory"]["CreationInfo"]
    assert (created["OwnerUid"], created["OwnerGid"]) == ("1001", "1001")
    assert int(created["Permissions"], 8) & 0o700 == 0o700


def test_every_subnet_has_a_way_to_the_file_system(resources: Resources) -> None:
    targets = resources.of_type("AWS::EFS::MountTarget")
    subnets = {f"${{{each.name}}}" for each in resources.of_type("AWS::EC2::Subnet")}
    assert {text(each["SubnetId"]) for each in targets} == subnets
    door = resources.one("AWS::EC2::SecurityGroup", "StorageDoor")
    for target in targets:
        assert [text(each) for each in target["SecurityGroups"]] == [f"${{{door.name}.GroupId}}"]


def test_a_stage_keeps_and_copies_its_data_as_it_says(
    resources: Resources, settings: StageSettings
) -> None:
    files = resources.one("AWS::EFS::FileSystem")
    assert files.body["DeletionPolicy"] == ("Retain" if settings.keeps_data else "Delete")
    assert files.get("BackupPolicy") == ({"Status": "ENABLED"} if settings.backs_up else None)
