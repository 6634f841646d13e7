"""The OpenLane-V2 challenge's baseline (arXiv 2304.10440): BEVFormer of one frame, lanes, traffic elements, relations.

The BEV is in the ego frame; the first of the cameras is the front one. The published models take the vehicle's state
(`CameraClip.can_bus`) as it is, absolute position included.
"""

_base_ = ["default_runtime.py", "schedule_24_epochs.py", "clip_loaders.py", "camera_bev.py"]

data_root = "data/openlane_v2"
bev_bounds = (-51.2, -25.6, -2.3, 51.2, 25.6, 1.7)
num_cameras = 7  # of subset A; subset B has 6
num_attributes = 13
dims = _base_.dims
attention = _base_.attention

model = dict(
    neck=dict(num_outs=4),
    encoder=dict(
        grid=dict(bounds=bev_bounds, shape=(100, 200)),
        num_layers=3,
        num_cameras=num_cameras,
        can_bus_dims=18,
        value_projections=2,  # as the published code has it
    ),
    heads=dict(
        lanes=dict(
            type="LaneTopologyHead",
            lanes=dict(
                type="CentrelineDetector",
                decoder=dict(
                    type="DETRDecoder",
                    queries=dict(type="LearnedQueries", embed_dims=dims, num_queries=100),
                    num_layers=6,
                    refine=False,
                    **attention,
                ),
                code=dict(kind="bezier", num_control=5, num_points=11),
                class_loss=dict(weight=1.5),
                curve_loss=dict(kind="l1", weight=0.0075),
            ),
            traffic=dict(
                type="TrafficElementDetector",
                num_attributes=num_attributes,
                encoder=dict(type="PyramidEncoder", num_layers=6, num_levels=4, **attention),
                decoder=dict(
                    type="DETRDecoder",
                    queries=dict(type="LearnedQueries", embed_dims=dims, num_queries=100, reference_dims=2),
                    num_layers=6,
                    num_levels=4,
                    **attention,
                ),
                class_loss=dict(weight=1.0),
                box_loss=dict(kind="l1", weight=2.5),
                overlap_loss=dict(weight=1.0),
            ),
            lane_lane=dict(type="PairRelation", embed_dims=dims, hidden_dims=128, loss=dict(weight=5.0)),
            lane_traffic=dict(type="PairRelation", embed_dims=dims, hidden_dims=128, loss=dict(weight=5.0)),
            max_lanes=100,
            max_traffic_elements=50,
        ),
    ),
)

# The official pipeline makes the portrait front image of subset A as large as the others, landscape.
front_size = (1550, 2048)
front_camera = "ring_front_center"
train_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="PhotometricDistortion"),
    dict(type="ResizeCropFlipImages", size=front_size, cameras=(front_camera,)),
    dict(type="PackClip"),
]
test_pipeline = [
    dict(type="LoadMultiCameraImages", num_threads=2),
    dict(type="ResizeCropFlipImages", size=front_size, cameras=(front_camera,), training=False),
    dict(type="PackClip"),
]
dataset = dict(type="OpenLaneClipDataset", data_root=data_root)
train_dataloader = dict(
    dataset=dict(ann_file="openlane_v2_A_infos_train.pkl", pipeline=train_pipeline, **dataset)
)
val_dataloader = dict(
    dataset=dict(ann_file="openlane_v2_A_infos_val.pkl", pipeline=test_pipeline, test_mode=True, **dataset)
)
test_dataloader = val_dataloader
val_evaluator = dict(type="OpenLaneMetric", data_root=data_root, ann_file="openlane_v2_A_infos_val.pkl")
test_evaluator = val_evaluator
