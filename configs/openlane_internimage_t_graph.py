"""Lane topology with InternImage-T: a lane graph after each decoder layer, end gaps in the lanes' relations.

Unlike the published baselines it does not see where on Earth it is (`can_bus_dims`), which a model can only learn by
heart, and its lane queries move to what they have found (`refine`).
"""

_base_ = ["_base_/openlane.py"]

model = dict(
    backbone=dict(type="InternImage", variant="t", out_indices=(0, 1, 2, 3), drop_path_rate=0.2, with_cp=True),
    neck=dict(in_channels=[64, 128, 256, 512]),
    encoder=dict(can_bus_dims=0, value_projections=1),
    heads=dict(
        lanes=dict(
            lanes=dict(decoder=dict(refine=True)),
            lane_lane=dict(end_gap=True),
            graph=dict(type="LaneGraphLayer", embed_dims=_base_.dims),
        ),
    ),
)
