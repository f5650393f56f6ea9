from __future__ import annotations

import json
import stat
import zipfile
from typing import TYPE_CHECKING

from infra.emulated.assets import Asset, read_assets
from infra.emulated.template import code_keys

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_stage_uploads_is_what_its_template_names(dev_template: Path) -> None:
    template = json.loads(dev_template.read_text("utf-8"))
    assets = {asset.key: asset for asset in read_assets(dev_template.parent, "coldpress-dev")}
    code = code_keys(template)
    layers = {
        body["Properties"]["Content"]["S3Key"]
        for body in template["Resources"].values()
        if body["Type"] == "AWS::Lambda::LayerVersion"
    }
    assert code | layers == assets.keys()
    assert all((assets[key].folder / "inference").is_dir() for key in code)
    assert all((assets[key].folder / "python").is_dir() for key in layers)
    assert {each.bucket for each in assets.values()} == {
        "cdk-hnb659fds-assets-000000000000-us-east-1"
    }


def test_a_zip_has_every_file_and_a_bootstrap_that_can_be_run(tmp_path: Path) -> None:
    folder = tmp_path / "code"
    (folder / "room" / "deep").mkdir(parents=True)
    (folder / "room" / "deep" / "module.py").write_text("x = 1\n")
    (folder / "room" / "__init__.py").touch()
    Asset(folder=folder, bucket="b", key="k").pack(tmp_path / "asset.zip", "#!/bin/sh\n")
    with zipfile.ZipFile(tmp_path / "asset.zip") as packed:
        assert packed.namelist() == ["room/__init__.py", "room/deep/module.py", "bootstrap"]
        assert packed.read("room/deep/module.py") == b"x = 1\n"
        assert packed.read("bootstrap") == b"#!/bin/sh\n"
        mode = packed.getinfo("bootstrap").external_attr >> 16
    assert stat.S_ISREG(mode)
    assert stat.S_IMODE(mode) == 0o755


def test_a_layer_has_no_bootstrap(tmp_path: Path) -> None:
    folder = tmp_path / "layer"
    (folder / "python").mkdir(parents=True)
    (folder / "python" / "package.py").touch()
    Asset(folder=folder, bucket="b", key="k").pack(tmp_path / "asset.zip")
    with zipfile.ZipFile(tmp_path / "asset.zip") as packed:
        assert packed.namelist() == ["python/package.py"]
