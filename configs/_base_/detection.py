"""What BEVFormer's detectors share: grid mask, temporal self-attention, a head with six decoder layers."""

_base_ = ["camera_bev.py"]

model = dict(
    data_preprocessor=dict(grid_mask=dict(ratio=0.5, probability=0.7)),
    encoder=dict(num_points_temporal=4),
    heads=dict(
        detection=dict(
            type="BEVDetectionHead",
            decoder=dict(
                type="DETRDecoder",
                queries=dict(type="LearnedQueries", embed_dims=_base_.dims, num_queries=900),
                num_layers=6,
                **_base_.attention,
            ),
            class_loss=dict(weight=2.0, gamma=2.0, alpha=0.25),
            code_weights=(1.0,) * 8 + (0.2,) * 2,
            max_num=300,
        ),
    ),
)
