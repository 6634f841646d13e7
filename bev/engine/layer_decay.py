"""Layer-wise learning-rate decay for InternImage: the further a block is from the output, the less it learns.

Layers are counted from the stem up: 0 is the stem and 1 to L are the blocks of all stages in turn, so L is the sum of
the depths (30 for T, 33 for S and B, 37 for L, 39 for XL, 50 for H, 56 for G). What lies between two stages (a stage's
norm and its downsampling) learns like the first block after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mmengine.logging import print_log
from mmengine.optim import DefaultOptimWrapperConstructor
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS
from torch import nn

from bev.errors import InputError
from bev.models.backbones import InternImage

RECIPES = ("detection", "classification")
SETTINGS = ("layer_decay_rate", "recipe", "backbone_lr_mult", "dcn_lr_mult", "like_stem", "custom_keys")
SAMPLING_NAMES = ("offset", "attention_weights", "center_feature_scale_proj")  # what `dcn_lr_mult` is for
BLOCK = re.compile(r"levels\.(\d+)\.blocks\.(\d+)\.")
POST_NORM = re.compile(r"levels\.(\d+)\.post_norms\.(\d+)\.")
BETWEEN_STAGES = re.compile(r"levels\.(\d+)\.(?:downsample|norm)\.")


@dataclass(frozen=True)
class LayerDecay:
    """The factor on the learning rate of each parameter of one InternImage.

    Detection and segmentation multiply once more at every layer below whatever follows the backbone, so the last
    block has `rate`. Classification starts with 1 at the last block, gives the stem the factor of the first block,
    and leaves the last norm and the norms inside the third stage undiminished.

    Attributes:
        rate: Factor from one layer to the one before.
        recipe: "detection" (also for segmentation) or "classification", as the official code does either.
    """

    rate: float
    recipe: str = "detection"

    def scale(self, name: str, backbone: InternImage) -> float:
        """Factor for a parameter, named as in the backbone."""
        distance = self._last(backbone) - self._layer(name, backbone)
        return self.rate**distance

    def _last(self, backbone: InternImage) -> int:
        return sum(backbone.depths) + (self.recipe == "detection")

    def _layer(self, name: str, backbone: InternImage) -> int:
        classification = self.recipe == "classification"
        if name.startswith("patch_embed."):
            return int(classification)
        if found := BLOCK.match(name):
            return self._block(int(found[1]), int(found[2]), backbone)
        if found := BETWEEN_STAGES.match(name):
            stage = int(found[1])
            if stage + 1 < len(backbone.depths):
                return self._block(stage + 1, 0, backbone)
            return self._last(backbone) if classification else self._block(stage, 0, backbone)
        if (found := POST_NORM.match(name)) and not classification:
            stage = int(found[1])
            return self._block(stage, backbone.arch.post_norm_blocks(stage)[int(found[2])], backbone)
        return self._last(backbone)

    @staticmethod
    def _block(stage: int, block: int, backbone: InternImage) -> int:
        return sum(backbone.depths[:stage]) + block + 1


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Groups parameters by learning rate and weight decay.

    One-dimensional parameters, biases, and the `sampling_offsets` of deformable attention don't decay. It finds every
    InternImage in the model, wherever it sits. All other parameters have the full learning rate.
    `paramwise_cfg` may hold:

    - `layer_decay_rate` (1.0): factor from one layer to the one before. Published: detection T, S, B 1.0, L and XL
      0.94 (1x) or 0.90 (3x), DINO T 0.9, H and G 0.94; segmentation L and XL 0.94, H and G 0.95; classification
      L to G 0.9.
    - `recipe` ("detection"): how layers are counted, see `LayerDecay`.
    - `backbone_lr_mult` (1.0): factor on all of an InternImage, or on `model.backbone` if there is none.
    - `dcn_lr_mult` (1.0): factor on what places DCNv3's sampling points and weighs them against the centre.
      Published: 0.1 in classification of L to G.
    - `like_stem` (none): parts of names outside the backbone that learn like its stem. Published: the level embeddings
      of DINO, and of Mask2Former's head also the queries and the layers that make classes and masks of them.
    - `custom_keys`: as in mmengine, `{part of a name: dict(lr_mult=..., decay_mult=...)}`; these factors come on top,
      and the longest part that occurs in a name counts.

    Example:
        >>> optim_wrapper = dict(
        ...     type="OptimWrapper",
        ...     optimizer=dict(type="AdamW", lr=2e-4, weight_decay=0.05),
        ...     constructor="LayerDecayOptimWrapperConstructor",
        ...     paramwise_cfg=dict(layer_decay_rate=0.94),
        ... )
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        """Check the settings.

        Raises:
            TypeError: For an unknown setting.
            InputError: For an unknown recipe, or an optimizer without `lr` or `weight_decay`.
        """
        # mmengine's constructor skips grouping when there are no settings at all.
        super().__init__(optim_wrapper_cfg, {"layer_decay_rate": 1.0, **(paramwise_cfg or {})})
        unknown = sorted(set(self.paramwise_cfg) - set(SETTINGS))
        if unknown:
            raise TypeError(f"paramwise_cfg has no setting {', '.join(unknown)}; there are {', '.join(SETTINGS)}")
        self.decay = LayerDecay(self.paramwise_cfg["layer_decay_rate"], self.paramwise_cfg.get("recipe", "detection"))
        if self.decay.recipe not in RECIPES:
            raise InputError(f"paramwise_cfg: recipe {self.decay.recipe!r} is none of {', '.join(RECIPES)}")
        if self.base_lr is None or self.base_wd is None:
            raise InputError("LayerDecayOptimWrapperConstructor: the optimizer needs both lr and weight_decay")

    def add_params(self, params: list[dict[str, Any]], module: nn.Module, **_: Any) -> None:
        """Append the parameter groups of a whole model to `params`.

        Args:
            params: Gets one group per pair of learning rate and weight decay, in the order of the model.
            module: The model.

        Raises:
            InputError: If layers should decay but the model has no InternImage.
        """
        backbones = {name: child for name, child in module.named_modules() if isinstance(child, InternImage)}
        if not backbones and self.decay.rate != 1:
            raise InputError(f"layer_decay_rate {self.decay.rate} needs an InternImage, and the model has none")
        groups: dict[tuple[float, float], dict[str, Any]] = {}
        for name, parameter in module.named_parameters():
            if not parameter.requires_grad:
                continue
            lr_scale, weight_decay = self._settings(name, parameter, backbones)
            group = {"params": [], "lr_scale": lr_scale, "lr": self.base_lr * lr_scale, "weight_decay": weight_decay}
            groups.setdefault((lr_scale, weight_decay), group)["params"].append(parameter)
        params.extend(groups.values())
        for line in _describe(groups.values()):
            print_log(line, logger="current")

    def _settings(self, name: str, parameter: nn.Parameter, backbones: dict[str, InternImage]) -> tuple[float, float]:
        """Factor on the learning rate, and weight decay, of one parameter."""
        decays = parameter.ndim > 1 and not name.endswith(".bias") and "sampling_offsets" not in name
        weight_decay = self.base_wd if decays else 0.0
        lr_scale = self._backbone_scale(name, backbones)
        custom = self.paramwise_cfg.get("custom_keys", {})
        matching = [key for key in custom if key in name]
        if matching:
            chosen = custom[max(sorted(matching), key=len)]
            lr_scale *= chosen.get("lr_mult", 1.0)
            weight_decay *= chosen.get("decay_mult", 1.0)
        return lr_scale, weight_decay

    def _backbone_scale(self, name: str, backbones: dict[str, InternImage]) -> float:
        whole = self.paramwise_cfg.get("backbone_lr_mult", 1.0)
        for path, backbone in backbones.items():
            prefix = f"{path}." if path else ""
            if name.startswith(prefix):
                inner = name.removeprefix(prefix)
                sampling = any(part in inner for part in SAMPLING_NAMES)
                dcn = self.paramwise_cfg.get("dcn_lr_mult", 1.0) if sampling else 1.0
                return whole * dcn * self.decay.scale(inner, backbone)
        if backbones and any(part in name for part in self.paramwise_cfg.get("like_stem", ())):
            return self.decay.scale("patch_embed.", next(iter(backbones.values())))
        return whole if not backbones and name.startswith("backbone.") else 1.0


def _describe(groups: Iterable[dict[str, Any]]) -> Iterator[str]:
    for group in groups:
        count = sum(parameter.numel() for parameter in group["params"])
        yield (
            f"parameter group: {len(group['params'])} tensors, {count:,} values, "
            f"lr {group['lr']:.3g}, weight decay {group['weight_decay']:g}"
        )
