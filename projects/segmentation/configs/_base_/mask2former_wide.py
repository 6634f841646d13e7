"""Mask2Former with 1024 channels and 200 queries, as published for COCO-Stuff and ADE20K."""

_base_ = ["mask2former.py"]

width = 1024
attention = dict(embed_dims=width, num_heads=32)
feed_forward = dict(embed_dims=width, feedforward_channels=4 * width)
position = dict(num_feats=width // 2)
model = dict(
    decode_head=dict(
        feat_channels=width,
        out_channels=width,
        num_queries=200,
        positional_encoding=position,
        pixel_decoder=dict(
            positional_encoding=position,
            encoder=dict(layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feed_forward)),
        ),
        transformer_decoder=dict(
            layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=feed_forward)
        ),
    ),
)
