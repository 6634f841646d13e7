"""The nano model with learned queries and no perspective supervision: what the two others are compared with."""

_base_ = ["bevformerv2_internimage_nano_synthetic.py"]

detection = dict(
    type="BEVDetectionHead",
    num_classes=10,
    decoder=dict(
        type="DETRDecoder",
        queries=dict(type="LearnedQueries", embed_dims=64, num_queries=128),
        num_layers=2,
        embed_dims=64,
        num_heads=4,
        feedforward_channels=128,
        dropout=0.0,
    ),
    box_loss=dict(kind="l1", weight=0.25),
    code_weights=_base_.code_weights,
    max_num=300,
)
model = dict(encoder=dict(num_levels=3), heads=dict(_delete_=True, detection=detection))
