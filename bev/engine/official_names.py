"""What our parameters are called in the official BEVFormer v2 checkpoints (fundamentalvision/BEVFormer).

`bevformerv2_official_name` maps every parameter and buffer of a `BEVPerceptor` with a detection head onto one
official key; `NOT_OURS` says why some official keys have no counterpart.
"""

from __future__ import annotations

import re

_HEAD = "pts_bbox_head"
_TRANSFORMER = f"{_HEAD}.transformer"
_ENCODER_LAYER = r"^encoder\.layers\.(\d+)"
_DECODER_LAYER = r"^heads\.\w+\.decoder\.layers\.(\d+)"

# Tried in order; the first pattern found at the start of a key replaces what it matched.
_RULES: tuple[tuple[str, str], ...] = (
    (r"^backbone\.", "img_backbone."),
    (r"^neck\.", "img_neck."),
    (r"^encoder\.queries\.", f"{_HEAD}.bev_embedding."),
    (r"^encoder\.positional_encoding\.", f"{_HEAD}.positional_encoding."),
    (r"^encoder\.level_embeds$", f"{_TRANSFORMER}.level_embeds"),
    (r"^encoder\.camera_embeds$", f"{_TRANSFORMER}.cams_embeds"),
    (rf"{_ENCODER_LAYER}\.temporal_attention\.(?:sampling\.)?", rf"{_TRANSFORMER}.encoder.layers.\1.attentions.0."),
    (
        rf"{_ENCODER_LAYER}\.spatial_attention\.sampling\.",
        rf"{_TRANSFORMER}.encoder.layers.\1.attentions.1.deformable_attention.",
    ),
    (rf"{_ENCODER_LAYER}\.spatial_attention\.", rf"{_TRANSFORMER}.encoder.layers.\1.attentions.1."),
    (rf"{_ENCODER_LAYER}\.ffn\.expand\.", rf"{_TRANSFORMER}.encoder.layers.\1.ffns.0.layers.0.0."),
    (rf"{_ENCODER_LAYER}\.ffn\.reduce\.", rf"{_TRANSFORMER}.encoder.layers.\1.ffns.0.layers.1."),
    (rf"{_ENCODER_LAYER}\.norms\.", rf"{_TRANSFORMER}.encoder.layers.\1.norms."),
    (r"^temporal\.blocks\.", f"{_TRANSFORMER}.fusion.layers."),
    (r"^temporal\.projection\.", f"{_TRANSFORMER}.fusion.layer_norm."),
    (r"^heads\.\w+\.decoder\.queries\.embedding\.", f"{_HEAD}.query_embedding."),
    (r"^heads\.\w+\.decoder\.queries\.reference\.", f"{_TRANSFORMER}.reference_points."),
    (r"^heads\.\w+\.(cls|reg)_branches\.", rf"{_HEAD}.\1_branches."),
    (rf"{_DECODER_LAYER}\.self_attention\.attention\.", rf"{_TRANSFORMER}.decoder.layers.\1.attentions.0.attn."),
    (rf"{_DECODER_LAYER}\.cross_attention\.(?:sampling\.)?", rf"{_TRANSFORMER}.decoder.layers.\1.attentions.1."),
    (rf"{_DECODER_LAYER}\.ffn\.expand\.", rf"{_TRANSFORMER}.decoder.layers.\1.ffns.0.layers.0.0."),
    (rf"{_DECODER_LAYER}\.ffn\.reduce\.", rf"{_TRANSFORMER}.decoder.layers.\1.ffns.0.layers.1."),
    (rf"{_DECODER_LAYER}\.norms\.", rf"{_TRANSFORMER}.decoder.layers.\1.norms."),
)

NOT_OURS: dict[str, str] = {
    "pts_bbox_head.code_weights": "weights of the box loss, part of the config here",
    "fcos3d_bbox_head.": "the DD3D perspective head, which supervises training and makes no boxes at test time",
}


def bevformerv2_official_name(own_key: str) -> str:
    """The official state-dict key of a parameter or buffer of a `BEVPerceptor`.

    Raises:
        KeyError: If BEVFormer v2 has nothing that corresponds to it.
    """
    for pattern, replacement in _RULES:
        official, found = re.subn(pattern, replacement, own_key)
        if found:
            return official
    raise KeyError(f"{own_key} has no counterpart in the official BEVFormer v2 checkpoints")


def reason_not_ours(official_key: str) -> str | None:
    """Why an official key has no counterpart here; None where it should have one."""
    return next((reason for prefix, reason in NOT_OURS.items() if official_key.startswith(prefix)), None)
