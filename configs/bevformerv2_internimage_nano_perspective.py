"""The nano model with perspective supervision by a small DD3D head (BEVFormer v2, arXiv 2211.10439, section 3.2)."""

_base_ = ["bevformerv2_internimage_nano_one_stage.py", "_base_/perspective.py"]

perspective = dict(
    type="DD3DHead",
    num_classes=10,
    canonical_sizes=_base_.canonical_sizes,
    channels=64,
    strides=(8, 16),
    first_level=1,
    mean_depths=(60.0, 30.0),
    std_depths=(30.0, 15.0),
    size_ranges=((-1, 48), (48, 1e8)),
    num_convs=2,
    norm_cfg=dict(type="BN"),
    decoder=dict(max_depth=60.0),
)
model = dict(heads=dict(perspective=perspective))
