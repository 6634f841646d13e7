"""The OpenLane-V2 challenge's baselines with BEVFormer (ResNet-50, InternImage): names.

The small baseline (ResNet-18, inverse perspective mapping, plain DETR heads) shares its backbone and neck alone.
"""

from __future__ import annotations

from bev.engine.official.bevformer import DECODER_LAYER, ENCODER_LAYER, FIELDS
from bev.engine.official.names import NameMap, Vocabulary

_LANES, _TRAFFIC, _BEV = "pts_bbox_head", "bbox_head", "bev_constructor"

_PYRAMID_LAYER = (
    ("attention.sampling.{sampling}.{leaf}", "attentions.0.{sampling}.{leaf}"),
    ("attention.output_proj.{leaf}", "attentions.0.output_proj.{leaf}"),
    ("ffn.expand.{leaf}", "ffns.0.layers.0.0.{leaf}"),
    ("ffn.reduce.{leaf}", "ffns.0.layers.1.{leaf}"),
    ("norms.{j}.{leaf}", "norms.{j}.{leaf}"),
)
_LAYERS = (
    ("encoder", f"{_BEV}.encoder", ENCODER_LAYER),
    ("heads.lanes.lanes.decoder", f"{_LANES}.transformer.decoder", DECODER_LAYER),
    ("heads.lanes.traffic.encoder", f"{_TRAFFIC}.transformer.encoder", _PYRAMID_LAYER),
    ("heads.lanes.traffic.decoder", f"{_TRAFFIC}.transformer.decoder", DECODER_LAYER),
)
_PAIRS = (
    ("backbone.{rest}", "img_backbone.{rest}"),
    ("neck.{rest}", "img_neck.{rest}"),
    ("encoder.queries.{leaf}", f"{_BEV}.bev_embedding.{{leaf}}"),
    ("encoder.positional_encoding.{rest}", f"{_BEV}.positional_encoding.{{rest}}"),
    ("encoder.level_embeds", f"{_BEV}.level_embeds"),
    ("encoder.camera_embeds", f"{_BEV}.cams_embeds"),
    ("encoder.can_bus_mlp.{rest}", f"{_BEV}.can_bus_mlp.{{rest}}"),
    ("heads.lanes.traffic.encoder.level_embeds", f"{_TRAFFIC}.transformer.level_embeds"),
    *(
        (f"{own}.layers.{{i}}.{own_leaf}", f"{official}.layers.{{i}}.{official_leaf}")
        for own, official, layer in _LAYERS
        for own_leaf, official_leaf in layer
    ),
    *(
        pair
        for own, official in (("lanes", _LANES), ("traffic", _TRAFFIC))
        for pair in (
            (f"heads.lanes.{own}.decoder.queries.embedding.{{leaf}}", f"{official}.query_embedding.{{leaf}}"),
            (
                f"heads.lanes.{own}.decoder.queries.reference.{{leaf}}",
                f"{official}.transformer.reference_points.{{leaf}}",
            ),
            (f"heads.lanes.{own}.reg_branches.{{rest}}", f"{official}.reg_branches.{{rest}}"),
        )
    ),
    ("heads.lanes.lanes.cls_branches.{rest}", f"{_LANES}.cls_branches.{{rest}}"),
    ("heads.lanes.traffic.cls_branches.{i}.0.{leaf}", f"{_TRAFFIC}.cls_branches.{{i}}.{{leaf}}"),
    # Ours count the activations between the layers, theirs don't.
    *(
        (f"heads.lanes.{own}.{own_part}.{2 * i}.{{leaf}}", f"{official}.{official_part}.layers.{i}.{{leaf}}")
        for own, official in (("lane_lane", "lclc_head"), ("lane_traffic", "lcte_head"))
        for own_part, official_part in (("subject", "MLP_o1"), ("object", "MLP_o2"), ("classifier", "classifier"))
        for i in range(3)
    ),
)
_SMALL = "part of the small baseline (inverse perspective mapping, plain DETR heads), which is not offered here"
_IGNORED = {
    f"{_LANES}.code_weights": "weights of the curve loss, all 1",
    **dict.fromkeys(("img_view_transformer.", "lc_head.", "te_head.", "lclc_head.mlp.", "lcte_head.mlp."), _SMALL),
}
VOCABULARY = Vocabulary((NameMap(_PAIRS, FIELDS),), _IGNORED)
