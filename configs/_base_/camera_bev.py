"""What the large models share: images, feature pyramid, width and points of the BEV encoder."""

_base_ = ["image_values.py"]

dims = 256
attention = dict(embed_dims=dims, num_heads=8, feedforward_channels=512, dropout=0.1)

model = dict(
    type="BEVPerceptor",
    data_preprocessor=dict(type="ClipPreprocessor", pad_divisor=32, **_base_.imagenet_values),
    neck=dict(
        type="mmdet.FPN",
        out_channels=dims,
        add_extra_convs="on_output",
        relu_before_extra_convs=True,
    ),
    encoder=dict(
        type="BEVFormerEncoder",
        num_levels=4,
        num_pillar_points=4,
        num_points_spatial=8,
        **attention,
    ),
)
