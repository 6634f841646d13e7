"""mmpretrain, which mmdet imports, beside a transformers that its language models fail with."""

import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from bev.compat import multimodal

SCRIPT = """
import bev, mmpretrain.models
from mmpretrain.registry import MODELS
try:
    MODELS.build(dict(type="BlipCaption"))
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize(("version", "too_new"), [("4.31.0", False), ("5.0.0", True), ("12.1", True), (None, False)])
def test_only_a_newer_transformers_turns_the_models_off(tmp_path, monkeypatch, version, too_new):
    def installed(name):
        assert name == "transformers"
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed)
    assert multimodal.transformers_is_too_new() is too_new
    (tmp_path / "dependency.py").write_text("WITH_MULTIMODAL = True\n")
    spec = multimodal.SwitchFinder().find_spec(multimodal.SWITCH, [str(tmp_path)])
    assert (spec is not None) is too_new
    if spec is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.WITH_MULTIMODAL is False


def test_other_modules_are_left_alone():
    assert multimodal.SwitchFinder().find_spec("mmpretrain.utils.logger") is None


@pytest.mark.skipif(not multimodal.transformers_is_too_new(), reason="transformers 5 is not installed")
def test_mmpretrain_imports_and_says_what_its_multimodal_models_need():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert "requires extra multi-modal dependencies" in done.stdout
