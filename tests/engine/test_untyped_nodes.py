from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from bev.engine.config import ConfigError, load_config
from bev.engine.untyped_nodes import extra_keys

pytestmark = pytest.mark.usefixtures("registered")
CONFIGS = Path(__file__).parents[2] / "configs"
NANO = CONFIGS / "bevformerv2_internimage_nano_synthetic.py"
PARAMWISE = "optim_wrapper.paramwise_cfg"
ACCEPTED = {
    "env_cfg.dist_cfg.timeout": 1800,
    "env_cfg.dist_cfg.port": 29500,
    "env_cfg.mp_cfg.mp_start_method": "spawn",
    "env_cfg.resource_limit": 8192,
    "randomness.diff_rank_seed": True,
    "custom_imports.imports": ["json"],
    "custom_imports.allow_failed_imports": True,
    "default_hooks.early.type": "EarlyStoppingHook",
    "default_hooks.checkpoint.priority": "LOW",
    f"{PARAMWISE}.norm_decay_mult": 0.0,
    f"{PARAMWISE}.custom_keys.encoder.lr_mult": 0.5,
    "optim_wrapper.constructor": "DefaultOptimWrapperConstructor",
}
REFUSED = {
    "env_cfg.dist_cfg.timeuot": "did you mean timeout",
    "env_cfg.resource_limits": "did you mean resource_limit",
    "randomness.diff_rank": "did you mean diff_rank_seed",
    "custom_imports.import": "did you mean imports",
    "default_hooks.chekpoint.interval": "did you mean checkpoint",
    f"{PARAMWISE}.norm_decay": "did you mean norm_decay_mult",
    f"{PARAMWISE}.custom_keys.encoder.lr_mul": "did you mean lr_mult",
}


@pytest.mark.parametrize("key", ACCEPTED)
def test_what_mmengine_reads_can_be_set(key: str) -> None:
    node = load_config(NANO, {key: ACCEPTED[key]})
    for part in key.split("."):
        node = node[part]
    assert node == ACCEPTED[key]


@pytest.mark.parametrize("key", REFUSED)
def test_misspelt_keys_of_nodes_without_type_are_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=REFUSED[key]):
        load_config(NANO, {key: 1})


def test_a_new_hook_takes_the_arguments_of_its_type() -> None:
    overrides = {"default_hooks.early.monitor": "loss", "default_hooks.early.type": "EarlyStoppingHook"}
    assert load_config(NANO, overrides).default_hooks.early == {"type": "EarlyStoppingHook", "monitor": "loss"}
    with pytest.raises(ConfigError, match="did you mean monitor"):
        load_config(NANO, {"default_hooks.early.type": "EarlyStoppingHook", "default_hooks.early.monitr": "loss"})


def test_another_constructor_has_other_settings() -> None:
    layers = Config({"optim_wrapper": {"constructor": "LayerDecayOptimWrapperConstructor"}})
    assert "layer_decay_rate" in extra_keys(["optim_wrapper", "paramwise_cfg"], layers)
    assert "norm_decay_mult" not in extra_keys(["optim_wrapper", "paramwise_cfg"], layers)


def test_modules_are_imported_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "override_module.py").write_text(
        "from mmengine.hooks import Hook\nfrom mmengine.registry import HOOKS\n\n\n"
        "@HOOKS.register_module()\nclass OverrideHook(Hook):\n    def __init__(self, size=1):\n        pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    overrides = {
        "default_hooks.mine.siz": 2,
        "default_hooks.mine.type": "OverrideHook",
        "custom_imports.imports": "override_module",
    }
    with pytest.raises(ConfigError, match="did you mean size"):
        load_config(NANO, overrides)
    with pytest.raises(ConfigError, match="custom_imports: Failed to import no_such_module"):
        load_config(NANO, {"custom_imports.imports": ["no_such_module"]})
