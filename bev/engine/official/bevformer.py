"""BEVFormer v1 and v2 and the occupancy baseline on it: names, and what differs in meaning.

Their boxes follow mmdet3d < 1.0: width before length, and yaw_old = -yaw - pi/2, so that sin(yaw) = -cos(yaw_old) and
cos(yaw) = -sin(yaw_old). All of that is linear in what the last layer of a box branch regresses, so its rows are
reordered and negated once, and the model needs no second convention.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bev.engine.official.names import NameMap, Vocabulary

_HEAD = "pts_bbox_head"
_TRANSFORMER = f"{_HEAD}.transformer"
_DD3D = "fcos3d_bbox_head"

# Parameters of one layer of the BEV encoder and of one layer of a decoder, relative to the layer.
ENCODER_LAYER = (
    ("temporal_attention.sampling.{sampling}.{leaf}", "attentions.0.{sampling}.{leaf}"),
    ("temporal_attention.output_proj.{leaf}", "attentions.0.output_proj.{leaf}"),
    ("spatial_attention.sampling.{sampling}.{leaf}", "attentions.1.deformable_attention.{sampling}.{leaf}"),
    ("spatial_attention.output_proj.{leaf}", "attentions.1.output_proj.{leaf}"),
    ("ffn.expand.{leaf}", "ffns.0.layers.0.0.{leaf}"),
    ("ffn.reduce.{leaf}", "ffns.0.layers.1.{leaf}"),
    ("norms.{j}.{leaf}", "norms.{j}.{leaf}"),
)
DECODER_LAYER = (
    ("self_attention.attention.{rest}", "attentions.0.attn.{rest}"),
    ("cross_attention.sampling.{sampling}.{leaf}", "attentions.1.{sampling}.{leaf}"),
    ("cross_attention.output_proj.{leaf}", "attentions.1.output_proj.{leaf}"),
    ("ffn.expand.{leaf}", "ffns.0.layers.0.0.{leaf}"),
    ("ffn.reduce.{leaf}", "ffns.0.layers.1.{leaf}"),
    ("norms.{j}.{leaf}", "norms.{j}.{leaf}"),
)

_PAIRS = (
    ("backbone.{rest}", "img_backbone.{rest}"),
    ("neck.{rest}", "img_neck.{rest}"),
    ("encoder.queries.{rest}", f"{_HEAD}.bev_embedding.{{rest}}"),
    ("encoder.positional_encoding.{rest}", f"{_HEAD}.positional_encoding.{{rest}}"),
    ("encoder.level_embeds", f"{_TRANSFORMER}.level_embeds"),
    ("encoder.camera_embeds", f"{_TRANSFORMER}.cams_embeds"),
    ("encoder.can_bus_mlp.{rest}", f"{_TRANSFORMER}.can_bus_mlp.{{rest}}"),
    *(
        (f"encoder.layers.{{i}}.{own}", f"{_TRANSFORMER}.encoder.layers.{{i}}.{official}")
        for own, official in ENCODER_LAYER
    ),
    ("temporal.blocks.{rest}", f"{_TRANSFORMER}.fusion.layers.{{rest}}"),
    ("temporal.projection.{rest}", f"{_TRANSFORMER}.fusion.layer_norm.{{rest}}"),
    ("heads.detection.decoder.queries.embedding.{leaf}", f"{_HEAD}.query_embedding.{{leaf}}"),
    ("heads.detection.decoder.queries.reference.{leaf}", f"{_TRANSFORMER}.reference_points.{{leaf}}"),
    ("heads.detection.{branch}_branches.{rest}", f"{_HEAD}.{{branch}}_branches.{{rest}}"),
    *(
        (f"heads.detection.decoder.layers.{{i}}.{own}", f"{_TRANSFORMER}.decoder.layers.{{i}}.{official}")
        for own, official in DECODER_LAYER
    ),
    # The occupancy head of the challenge's baseline.
    ("heads.occupancy.decoder.layers.{i}.conv.{leaf}", f"{_TRANSFORMER}.decoder.{{i}}.conv.{{leaf}}"),
    ("heads.occupancy.decoder.layers.{i}.norm.{rest}", f"{_TRANSFORMER}.decoder.{{i}}.bn.{{rest}}"),
    ("heads.occupancy.decoder.classifier.{i}.{leaf}", f"{_TRANSFORMER}.predicter.{{i}}.{{leaf}}"),
    # The perspective head (DD3D).
    *(
        pair
        for own, official in (
            ("class", "fcos2d_head.cls"),
            ("box2d", "fcos2d_head.box2d"),
            ("box3d", "fcos3d_head.box3d"),
        )
        for pair in (
            (f"heads.perspective.{own}_tower.{{i}}.convolution.weight", f"{_DD3D}.{official}_tower.{{i}}.weight"),
            (f"heads.perspective.{own}_tower.{{i}}.norms.{{rest}}", f"{_DD3D}.{official}_tower.{{i}}.norm.{{rest}}"),
        )
    ),
    ("heads.perspective.class_logits.{leaf}", f"{_DD3D}.fcos2d_head.cls_logits.{{leaf}}"),
    ("heads.perspective.distances.{leaf}", f"{_DD3D}.fcos2d_head.box2d_reg.{{leaf}}"),
    ("heads.perspective.centredness.{leaf}", f"{_DD3D}.fcos2d_head.centerness.{{leaf}}"),
    ("heads.perspective.distance_scales.{i}", f"{_DD3D}.fcos2d_head.scales_box2d_reg.{{i}}.scale"),
    ("heads.perspective.rotation.{leaf}", f"{_DD3D}.fcos3d_head.box3d_quat.0.{{leaf}}"),
    ("heads.perspective.centre.{leaf}", f"{_DD3D}.fcos3d_head.box3d_ctr.0.{{leaf}}"),
    ("heads.perspective.depth.{leaf}", f"{_DD3D}.fcos3d_head.box3d_depth.0.{{leaf}}"),
    ("heads.perspective.size.{leaf}", f"{_DD3D}.fcos3d_head.box3d_size.0.{{leaf}}"),
    ("heads.perspective.confidence.{leaf}", f"{_DD3D}.fcos3d_head.box3d_conf.0.{{leaf}}"),
    ("heads.perspective.centre_scales.{i}", f"{_DD3D}.fcos3d_head.scales_proj_ctr.{{i}}.scale"),
    ("heads.perspective.size_scales.{i}", f"{_DD3D}.fcos3d_head.scales_size.{{i}}.scale"),
    ("heads.perspective.confidence_scales.{i}", f"{_DD3D}.fcos3d_head.scales_conf.{{i}}.scale"),
    ("heads.perspective.depth_scales.{i}", f"{_DD3D}.fcos3d_head.scales_depth.{{i}}.scale"),
    ("heads.perspective.depth_offsets.{i}", f"{_DD3D}.fcos3d_head.offsets_depth.{{i}}.bias"),
    ("heads.perspective.attribute_logits.{leaf}", f"{_DD3D}.attr_logits.{{leaf}}"),
    ("heads.perspective.speed.{leaf}", f"{_DD3D}.speed.{{leaf}}"),
)
FIELDS = {
    "rest": ".+",
    "leaf": "weight|bias",
    "branch": "cls|reg",
    "sampling": "sampling_offsets|attention_weights|value_proj",
}
NAMES = NameMap(_PAIRS, FIELDS)

# Backbones that training starts from come as detectors of their own.
PRETRAINED = NameMap((("backbone.{rest}", "backbone.{rest}"), ("neck.{rest}", "neck.{rest}")), FIELDS)

_IGNORED = {
    f"{_HEAD}.code_weights": "weights of the box loss: part of the config here",
    f"{_DD3D}.fcos3d_head.mean_depth_per_level": "initial value of depth_offsets: part of the config here",
    f"{_DD3D}.fcos3d_head.std_depth_per_level": "initial value of depth_scales: part of the config here",
    "bbox_head.": "head of the detector that the backbone was trained in",
}
VOCABULARY = Vocabulary((NAMES, PRETRAINED), _IGNORED)
BOX_ROWS = torch.tensor([0, 1, 3, 2, 4, 5, 7, 6, 8, 9])
BOX_SIGNS = torch.tensor([1.0, 1, 1, 1, 1, 1, -1, -1, 1, 1])
LEVEL_EMBEDS = f"{_TRANSFORMER}.level_embeds"
OFFICIAL_LEVELS = 4  # rows of level_embeds in every published model, whatever the number of levels it reads


def exchange_box_convention(tensor: Tensor) -> Tensor:
    """Weight (10, C) or bias (10,) of a box branch's last layer, from one convention to the other; its own inverse."""
    return tensor[BOX_ROWS] * BOX_SIGNS.to(tensor.dtype).view(-1, *[1] * (tensor.dim() - 1))


def is_box_output(own_key: str, last_layers: frozenset[str]) -> bool:
    """Whether a key of ours belongs to the last layer of a box branch."""
    return own_key.rpartition(".")[0] in last_layers


def last_box_layers(own_keys: list[str]) -> frozenset[str]:
    """The last layer of each decoder layer's box branch, among the keys of a model of ours."""
    layers: dict[str, int] = {}
    for key in own_keys:
        branch, _, rest = key.rpartition("reg_branches.")
        if branch == "heads.detection.":
            index, position, _ = rest.split(".")
            layers[index] = max(layers.get(index, 0), int(position))
    return frozenset(f"heads.detection.reg_branches.{index}.{position}" for index, position in layers.items())


def num_levels(official: dict[str, Tensor]) -> int:
    """Feature levels that the encoder of an official checkpoint reads: as many as its neck makes, at most four."""
    outputs = {key.split(".")[2] for key in official if key.startswith("img_neck.fpn_convs.")}
    return min(len(outputs) or OFFICIAL_LEVELS, OFFICIAL_LEVELS)
