"""InternImage as models of timm: importing this module registers `internimage_t` to `internimage_g`.

    >>> import timm, bev.models.backbones.timm_models
    >>> classifier = timm.create_model("internimage_t", num_classes=10)
    >>> extractor = timm.create_model("internimage_t", features_only=True, out_indices=(1, 2, 3))

Parameters have the published names, so official files load into either with `bev.engine.checkpoint.load_weights`.
`pretrained=True` is refused, since there is no address to download from.

Shapes: B images, K classes, C_s channels of stage s, whose stride is 4 * 2**s, D channels of the pooled feature.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models._features import feature_take_indices
from torch import Tensor, nn

from bev.errors import InputError
from bev.models.backbones.internimage import VARIANTS, InternImage
from bev.models.backbones.internimage.model import LINEAR_STD
from bev.models.backbones.internimage.stage import Block

SIZES = {"t": 224, "s": 224, "b": 224, "l": 384, "xl": 384, "h": 640, "g": 512}  # of the published classifiers
STRIDE = 4  # of the first stage


class TimmInternImage(InternImage):
    """A classifier with what timm expects of its models.

    Args:
        variant: As for `InternImage`.
        num_classes: K; 0 for pooled features.
        in_chans: 3.
        drop_path_rate: Stochastic depth; the published rate by default.
        **overrides: As for `InternImage`.

    Raises:
        InputError: For images of other than three channels, or global pooling other than the model's own.
    """

    def __init__(
        self,
        variant: str = "t",
        num_classes: int = 1000,
        in_chans: int = 3,
        drop_rate: float = 0.0,
        global_pool: str = "avg",
        **overrides: Any,
    ) -> None:
        if in_chans != 3 or drop_rate or global_pool != "avg":
            raise InputError(
                f"InternImage: in_chans is 3, drop_rate 0 and global_pool avg, "
                f"not {in_chans}, {drop_rate} and {global_pool}"
            )
        super().__init__(variant, num_classes=max(num_classes, 1), **overrides)
        self.num_classes = num_classes
        self.num_features = self.arch.stage_channels[-1]
        self.head_hidden_size = self.head.in_features
        self.feature_info = [
            {"num_chs": channels, "reduction": STRIDE * 2**index, "module": f"levels.{index}"}
            for index, channels in enumerate(self.arch.stage_channels)
        ]
        if not num_classes:
            self.head = nn.Identity()  # type: ignore[assignment]

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.head

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Give the model a last layer for other classes; 0 for none."""
        self.num_classes = num_classes
        if not num_classes:
            self.head = nn.Identity()  # type: ignore[assignment]
            return
        self.head = nn.Linear(self.head_hidden_size, num_classes)
        nn.init.trunc_normal_(self.head.weight, std=LINEAR_STD)
        nn.init.zeros_(self.head.bias)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute blocks in the backward pass, or keep what they computed."""
        for part in self.modules():
            if isinstance(part, Block):
                part.with_cp = enable

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Patterns of parameter names, from the stem up."""
        blocks = [(r"^levels\.(\d+)\.blocks\.(\d+)", None), (r"^levels\.(\d+)\.", (0,))]
        return {"stem": r"^patch_embed", "blocks": r"^levels\.(\d+)" if coarse else blocks}

    def forward_features(self, images: Tensor) -> list[Tensor]:
        """Maps of all stages, (B, H, W, C_s) each; the head of H and G looks at two of them."""
        return self.forward_stages(images)

    def forward_head(self, maps: list[Tensor], pre_logits: bool = False) -> Tensor:
        """Logits (B, K), or pooled features (B, D), of what `forward_features` returned."""
        features = self.pool(maps)
        return features if pre_logits else self.head(features)

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Tensor] | tuple[list[Tensor], list[Tensor]]:
        """Maps of chosen stages, (B, C_s, H, W) each; with all maps of `forward_features` before them if wanted.

        Raises:
            InputError: For another format than "NCHW".
        """
        if output_fmt != "NCHW":
            raise InputError(f"InternImage gives maps as NCHW, not {output_fmt}")
        taken, _ = feature_take_indices(self.last_stage + 1, indices if indices is None else _plain(indices))
        maps = self.forward_stages(x)
        chosen = [maps[index].permute(0, 3, 1, 2) for index in taken]
        return chosen if intermediates_only else (maps, chosen)

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Drop the stages after the last one in `indices`, and the head; returns the indices, counted from 0."""
        taken, last = feature_take_indices(self.last_stage + 1, _plain(indices))
        self.levels = nn.ModuleList(list(self.levels)[: last + 1])  # type: ignore[assignment]
        self.levels[last].downsample = None
        self.last_stage = last
        if prune_head:
            for name in ("conv_head", "dcnv3_head_x4", "dcnv3_head_x3", "clip_projector", "fc_norm", "head"):
                if hasattr(self, name):
                    delattr(self, name)
        return taken


def _plain(indices: int | Sequence[int]) -> int | list[int]:
    return indices if isinstance(indices, int) else list(indices)


def _default_cfg(variant: str) -> dict[str, Any]:
    size = SIZES[variant]
    return {
        "num_classes": 1000,
        "input_size": (3, size, size),
        "pool_size": (size // 32, size // 32),
        "crop_pct": 1.0,
        "interpolation": "bicubic",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "first_conv": "patch_embed.conv1",
        "classifier": "head",
        "license": "mit",
    }


default_cfgs = generate_default_cfgs({f"internimage_{variant}": _default_cfg(variant) for variant in VARIANTS})


def _entry_point(variant: str) -> Callable[..., nn.Module]:
    """What timm calls for a variant's name."""

    def create(pretrained: bool = False, **settings: Any) -> nn.Module:
        if pretrained:
            raise InputError(
                f"internimage_{variant}: nothing can be downloaded; create it with pretrained=False and load a file "
                "with bev.engine.checkpoint.load_weights"
            )
        every_stage = tuple(range(VARIANTS[variant].features.num_stages))
        feature_cfg = {"out_indices": every_stage, "feature_cls": "getter"}
        model = partial(TimmInternImage, variant)
        return build_model_with_cfg(model, f"internimage_{variant}", False, feature_cfg=feature_cfg, **settings)

    create.__name__ = create.__qualname__ = f"internimage_{variant}"
    create.__doc__ = f"InternImage-{variant.upper()} (https://arxiv.org/abs/2211.05778)."
    return create


for _variant in VARIANTS:
    register_model(_entry_point(_variant))
