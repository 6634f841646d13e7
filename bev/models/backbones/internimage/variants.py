"""The published InternImage variants as data (paper, section 3.3 and table 1; H and G as released later).

A variant is an `Architecture` for use as a feature extractor, and what differs when it is trained as a classifier.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from bev.errors import InputError

STEM_NORMS = ("LN", "BN")
POST_NORM_STAGE = 2  # the stage that `level2_post_norm_block_ids` counts blocks of


@dataclass(frozen=True)
class Architecture:
    """Everything that fixes the parameters and the arithmetic of one InternImage.

    Attributes:
        channels: Channels of the first stage; each later stage has twice as many.
        depths: Blocks per stage, four in all published variants.
        groups: DCNv3 groups per stage.
        offset_scale: Factor on DCNv3's sampling grid and offsets.
        layer_scale: Initial value of the per-channel scales of both branches of a block; None builds none.
        post_norm: Normalise the output of a branch instead of its input.
        res_post_norm: Normalise the output of a branch as well as its input.
        center_feature_scale: Let DCNv3 blend in the unsampled feature of the centre.
        remove_center: Leave the centre out of DCNv3's sampling points.
        dcn_softmax: Make the weights of DCNv3's points add up to 1; without it they are unbounded, as in DCNv4
            (https://arxiv.org/abs/2401.06197, section 3.1).
        level2_post_norm_block_ids: Blocks of the third stage that are followed by a norm of their own.
        dw_kernel_size: Kernel of the depthwise convolution that predicts offsets and masks.
        mlp_ratio: Hidden channels of a block's MLP over its channels.
        drop_path_rate: Stochastic depth of the last block; it grows linearly from 0 at the first.
        use_clip_projector: Classify through CLIP-style attention pooling instead of a convolution and average pooling.
        cls_scale: Channels of the convolutional classification head over those of the last stage.
        stem_norm: Norm of the stem and of the downsampling layers, "LN" (official) or "BN".
    """

    channels: int
    depths: tuple[int, ...]
    groups: tuple[int, ...]
    offset_scale: float = 1.0
    layer_scale: float | None = None
    post_norm: bool = False
    res_post_norm: bool = False
    center_feature_scale: bool = False
    remove_center: bool = False
    dcn_softmax: bool = True
    level2_post_norm_block_ids: tuple[int, ...] = ()
    dw_kernel_size: int = 3
    mlp_ratio: float = 4.0
    drop_path_rate: float = 0.0
    use_clip_projector: bool = False
    cls_scale: float = 1.5
    stem_norm: str = "LN"

    def __post_init__(self) -> None:
        for name in ("depths", "groups", "level2_post_norm_block_ids"):  # configs hold lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        self._check_stages()
        self._check_norms()

    @property
    def num_stages(self) -> int:
        """Number of resolutions."""
        return len(self.depths)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Channels of each stage."""
        return tuple(self.channels * 2**stage for stage in range(self.num_stages))

    def post_norm_blocks(self, stage: int) -> tuple[int, ...]:
        """Blocks of `stage` that are followed by a norm of their own."""
        return self.level2_post_norm_block_ids if stage == POST_NORM_STAGE else ()

    def _check_stages(self) -> None:
        if len(self.depths) != len(self.groups) or not self.depths or min(self.depths) < 1:
            raise InputError(
                f"InternImage: depths {self.depths} and groups {self.groups} must have one positive entry per stage"
            )
        for stage, (channels, groups) in enumerate(zip(self.stage_channels, self.groups, strict=True)):
            if channels % groups:
                raise InputError(
                    f"InternImage: the {channels} channels of stage {stage} are no multiple of its {groups} groups"
                )

    def _check_norms(self) -> None:
        if self.stem_norm not in STEM_NORMS:
            raise InputError(f"InternImage: stem_norm {self.stem_norm!r} is none of {STEM_NORMS}")
        if self.res_post_norm and (self.post_norm or self.layer_scale is not None):
            raise InputError("InternImage: res_post_norm goes with neither post_norm nor layer_scale")
        blocks = self.depths[POST_NORM_STAGE] if self.num_stages > POST_NORM_STAGE else 0
        beyond = [block for block in self.level2_post_norm_block_ids if not 0 <= block < blocks]
        if beyond:
            raise InputError(f"InternImage: level2_post_norm_block_ids {beyond} are beyond the {blocks} blocks there")


@dataclass(frozen=True)
class Variant:
    """A published variant: the feature extractor, and what its classifier does differently.

    Attributes:
        features: Architecture in detection. Segmentation uses the same with other drop path rates.
        classifier_layer_scale: `layer_scale` of the classifier.
        classifier_drop_path: `drop_path_rate` of the classifier.
        clip_projector: Whether the classifier has the CLIP projector head.
    """

    features: Architecture
    classifier_layer_scale: float | None
    classifier_drop_path: float
    clip_projector: bool = False

    @property
    def classifier(self) -> Architecture:
        """Architecture of the variant as a classifier."""
        return dataclasses.replace(
            self.features,
            layer_scale=self.classifier_layer_scale,
            drop_path_rate=self.classifier_drop_path,
            use_clip_projector=self.clip_projector,
        )


def _scaled(channels: int, depths: tuple[int, ...], **other: Any) -> Architecture:
    """Architecture of T to XL: groups of 16 channels, layer scale 1 in detection."""
    groups = tuple(channels * 2**stage // 16 for stage in range(len(depths)))
    return Architecture(channels, depths, groups, layer_scale=1.0, **other)


def _giant(channels: int, depths: tuple[int, ...], **other: Any) -> Architecture:
    """Architecture of H and G: groups of 32 channels, centre features, a norm after every sixth block of stage 2."""
    groups = tuple(channels * 2**stage // 32 for stage in range(len(depths)))
    norms = tuple(range(5, depths[POST_NORM_STAGE], 6))
    return Architecture(
        channels,
        depths,
        groups,
        center_feature_scale=True,
        level2_post_norm_block_ids=norms,
        dw_kernel_size=5,
        **other,
    )


VARIANTS: dict[str, Variant] = {
    "t": Variant(_scaled(64, (4, 4, 18, 4), drop_path_rate=0.2), None, 0.1),
    "s": Variant(_scaled(80, (4, 4, 21, 4), post_norm=True, drop_path_rate=0.3), 1e-5, 0.4),
    "b": Variant(_scaled(112, (4, 4, 21, 4), post_norm=True, drop_path_rate=0.4), 1e-5, 0.5),
    "l": Variant(_scaled(160, (5, 5, 22, 5), offset_scale=2.0, post_norm=True, drop_path_rate=0.4), 1e-5, 0.1),
    "xl": Variant(_scaled(192, (5, 5, 24, 5), offset_scale=2.0, post_norm=True, drop_path_rate=0.4), 1e-5, 0.2),
    "h": Variant(_giant(320, (6, 6, 32, 6), res_post_norm=True, drop_path_rate=0.5), None, 0.2, clip_projector=True),
    "g": Variant(_giant(512, (2, 2, 48, 4), post_norm=True, drop_path_rate=0.5), None, 0.4, clip_projector=True),
}


def architecture(variant: str, classifier: bool = False, **overrides: Any) -> Architecture:
    """Architecture of a published variant, with some fields changed.

    Args:
        variant: One of t, s, b, l, xl, h, g, in either case.
        classifier: Take the classifier's defaults (layer scale, drop path, CLIP projector), not detection's.
        **overrides: Fields of `Architecture`.

    Raises:
        InputError: For an unknown variant or an inconsistent architecture.
        TypeError: For an override that is no field of `Architecture`.
    """
    if variant.lower() not in VARIANTS:
        raise InputError(f"InternImage: variant {variant!r} is none of {', '.join(VARIANTS)}")
    fields = [field.name for field in dataclasses.fields(Architecture)]
    unknown = sorted(set(overrides) - set(fields))
    if unknown:
        raise TypeError(f"InternImage: no such setting: {', '.join(unknown)}; there are {', '.join(fields)}")
    published = VARIANTS[variant.lower()]
    return dataclasses.replace(published.classifier if classifier else published.features, **overrides)
