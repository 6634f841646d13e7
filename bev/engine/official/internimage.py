"""The official InternImage repository's three parts: classifiers, detectors (mmdet 2) and segmentors (mmseg 0).

Backbones and most heads have the same names in today's packages. Detection transformers were taken apart in mmdet 3:
what lay under `bbox_head.transformer` belongs to the detector, and attentions are named by what they attend to.
"""

from __future__ import annotations

from collections.abc import Iterable

from bev.engine.official.names import NameMap, Vocabulary

_TRANSFORMER = "bbox_head.transformer"
_ANY = {
    "rest": ".+", "named": r"(?!\d+\.).+", "leaf": "weight|bias", "branch": "cls|reg",
    "norm": "norms|norm|post_norm", "i": r"\d+",
}  # fmt: skip


def _layers(own: str, official: str, attentions: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Names below `layers` of an encoder or decoder whose attentions are called so, in the order of their use."""
    return (
        *(
            (f"{own}.layers.{{i}}.{name}.{{rest}}", f"{official}.layers.{{i}}.attentions.{number}.{{rest}}")
            for number, name in enumerate(attentions)
        ),
        (f"{own}.layers.{{i}}.ffn.{{rest}}", f"{official}.layers.{{i}}.ffns.0.{{rest}}"),
        (f"{own}.layers.{{i}}.norms.{{rest}}", f"{official}.layers.{{i}}.norms.{{rest}}"),
    )


_DINO = (
    *_layers("encoder", f"{_TRANSFORMER}.encoder", ("self_attn",)),
    *_layers("decoder", f"{_TRANSFORMER}.decoder", ("self_attn", "cross_attn")),
    ("decoder.norm.{leaf}", f"{_TRANSFORMER}.decoder.norm.{{leaf}}"),
    # Theirs count the activations between the layers, ours don't.
    ("decoder.ref_point_head.layers.0.{leaf}", f"{_TRANSFORMER}.decoder.ref_point_head.0.{{leaf}}"),
    ("decoder.ref_point_head.layers.1.{leaf}", f"{_TRANSFORMER}.decoder.ref_point_head.2.{{leaf}}"),
    ("level_embed", f"{_TRANSFORMER}.level_embeds"),
    ("memory_trans_fc.{leaf}", f"{_TRANSFORMER}.enc_output.{{leaf}}"),
    ("memory_trans_norm.{leaf}", f"{_TRANSFORMER}.enc_output_norm.{{leaf}}"),
    ("query_embedding.weight", f"{_TRANSFORMER}.query_embed.weight"),
    ("dn_query_generator.label_embedding.weight", "bbox_head.label_embedding.weight"),
    ("bbox_head.{branch}_branches.{rest}", "bbox_head.{branch}_branches.{rest}"),
)
_DECODE = "decode_head"
_MASK2FORMER = (
    *_layers(f"{_DECODE}.pixel_decoder.encoder", f"{_DECODE}.pixel_decoder.encoder", ("self_attn",)),
    *_layers(f"{_DECODE}.transformer_decoder", f"{_DECODE}.transformer_decoder", ("cross_attn", "self_attn")),
)
_SAME = tuple(
    (f"{part}.{{rest}}", f"{part}.{{rest}}")
    for part in ("backbone", "rpn_head", "roi_head", _DECODE, "auxiliary_head")
)
_NECK = (("neck.{named}", "neck.{named}"),)
# Detectors with a composite backbone were published with a list of one neck.
_LISTED_NECK = NameMap([("neck.{named}", "neck.0.{named}")], _ANY)
_CLASSIFIER_PARTS = (
    "patch_embed", "levels", "conv_head", "head",
    "dcnv3_head_x3", "dcnv3_head_x4", "clip_projector", "fc_norm",
)  # fmt: skip

DENSE = Vocabulary((NameMap((*_DINO, *_MASK2FORMER, *_SAME, *_NECK), _ANY), _LISTED_NECK), {})
CLASSIFIER = Vocabulary(
    (NameMap([(f"backbone.{part}.{{rest}}", f"{part}.{{rest}}") for part in _CLASSIFIER_PARTS], _ANY),), {}
)


def vocabulary(keys: Iterable[str]) -> Vocabulary:
    """The vocabulary that a checkpoint's keys belong to, ours or theirs."""
    names = set(keys)
    theirs = any(name.startswith(("patch_embed.", "levels.")) for name in names)
    ours = any(name.startswith("backbone.head.") for name in names)
    return CLASSIFIER if theirs or ours else DENSE
