"""`publish s3://BUCKET/PREFIX/ --store DIR`: from a bucket into a store here."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from model_sync.__main__ import main
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.command_line import run
from tests.model_sync.stage_fixtures import aws_environment
from tests.model_sync.sync_job.buckets import Bucket, write_model

if TYPE_CHECKING:
    from pathlib import Path


def test_a_prefix_becomes_the_version_that_its_folder_is(
    bucket: Bucket, s3_port: int, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    url = bucket.put_folder(folder, "team/adder")
    options = ("--store", tmp_path / "store", "--json", "--reason", "because")
    done = run("publish", url, *options, cwd=tmp_path, **aws_environment(s3_port))
    assert done.code == 0
    assert (done.json["model"], done.json["version"]) == ("adder", 1)
    assert (done.json["digest"], done.json["created"]) == (local.digest, True)
    assert "copying model.onnx" in done.err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("url", "code", "message"),
    [
        ("s3://{0}/nothing/", "recipe", "s3://{0}/nothing holds no .onnx file"),
        ("s3://no-such-bucket/adder/", "source", "s3://no-such-bucket/adder"),
        ("s3://", "source", "'s3://' is no S3 address: expected s3://BUCKET/PREFIX/"),
        ("s3://{0}", "source", "'s3://{0}' is no S3 address: expected s3://BUCKET/PREFIX/"),
        ("s3://{0}/\udcff/", "source", "is no S3 address"),
        ("s3://{0}/a\nb/", "source", "is no S3 address"),
    ],
)
def test_what_is_not_there_is_one_line_with_a_code(
    bucket: Bucket,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    url: str,
    code: str,
    message: str,
) -> None:
    store = tmp_path / "store"
    arguments = ["publish", url.format(bucket.name), "--store", str(store), "--json", "--quiet"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert message.format(bucket.name) in error["message"]
    assert "\n" not in error["message"]
    assert err == ""
    assert not (store / "models").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["Bad Name", "a/b", ".."])
def test_a_name_that_is_none_is_refused(
    bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    url = bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    store = tmp_path / "store"
    assert main(["publish", url, "--name", name, "--store", str(store), "--quiet"]) == 1
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert repr(name) in err
    assert not store.exists()


def test_credentials_that_are_missing_are_one_line(s3_port: int, tmp_path: Path) -> None:
    missing = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    settings = {**aws_environment(s3_port), **missing}
    done = run("publish", "s3://models/adder/", "--store", "s", cwd=tmp_path, **settings)
    assert (done.code, done.out) == (1, "")
    assert done.err == (
        "error: s3://models/adder/model.toml cannot be read: Unable to locate credentials: "
        "set AWS_PROFILE, or log in\n"
    )


@pytest.mark.usefixtures("retries_at_once")
def test_an_s3_that_nobody_serves_is_one_line_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        for name, value in aws_environment(taken.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        assert main(["publish", "s3://models/adder/", "--store", str(tmp_path / "store")]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: s3://models/adder/model.toml cannot be read: Could not conn")
    assert err.endswith(": check the network, the region and AWS_ENDPOINT_URL_S3, and try again\n")
    assert err.count("\n") == 1
