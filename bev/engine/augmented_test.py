"""Test-time augmentation of an experiment, as `tools/test.py --tta` asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.config import Config

from bev.engine.config import ConfigError
from bev.engine.data_config import bev_frame, evaluated_datasets


def augment_test(config: Config) -> None:
    """Let the test look at several views of each sample and merge what is found, in place.

    As mmengine has it, `tta_pipeline` and `tta_model` of the config say how. Clips need neither: without the first,
    each data set's own pipeline is run twice, the second time with the scene mirrored; without the second, boxes are
    fused (`AugmentedDetection`).

    Raises:
        ConfigError: If the config lacks one of them and the samples are no clips.
    """
    members = evaluated_datasets(config)
    missing = [key for key in ("tta_pipeline", "tta_model") if not config.get(key)]
    if missing and not all(_makes_clips(member.pipeline) for member in members):
        raise ConfigError(f"{config.filename} has no {' and no '.join(missing)}: see projects/README.md")
    for member in members:
        member.pipeline = config.get("tta_pipeline") or mirrored_views(member.pipeline, _side_axis(member))
    hook = {"type": "PrepareTTAHook", "tta_cfg": config.get("tta_model") or {"type": "AugmentedDetection"}}
    config.custom_hooks = [*config.get("custom_hooks", []), hook]


def mirrored_views(pipeline: Sequence[dict[str, Any]], axis: str) -> list[dict[str, Any]]:
    """A pipeline whose samples come as they are and mirrored.

    Args:
        pipeline: Ends with `PackClip`.
        axis: Of the bev frame that points to the side (see `MirrorScene`).
    """
    *before, last = pipeline
    mirror = [{"type": "MirrorScene", "probability": probability, "axis": axis} for probability in (0.0, 1.0)]
    return [*before, {"type": "TestTimeAug", "transforms": [mirror, [last]]}]


def _makes_clips(pipeline: Sequence[dict[str, Any]]) -> bool:
    return bool(pipeline) and pipeline[-1]["type"] == "PackClip"


def _side_axis(dataset: Any) -> str:
    """The axis of a data set's bev frame that points to the side."""
    return "x" if bev_frame(dataset) == "lidar" else "y"
