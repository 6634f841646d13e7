"""Detection, occupancy and lane topology on one BEV in the ego frame, on the synthetic world.

tools/create_data.py synthetic-occupancy --root data/synthetic
tools/create_data.py synthetic-lanes --root data/synthetic
"""

_base_ = [
    "bevformerv2_internimage_nano_synthetic.py",
    "_base_/occupancy_nano.py",
    "_base_/openlane_nano.py",
]

# 1.6 m cells that hold those of the occupancy (80 x 80 m) and reach as far ahead as lanes are annotated.
shared_bev_bounds = (-51.2, -40.0, -0.5, 51.2, 40.0, 3.0)
model = dict(
    encoder=dict(grid=dict(bounds=shared_bev_bounds, shape=(50, 64))),
    heads=dict(occupancy=_base_.shared_occupancy_head, lanes=_base_.lane_head),
)
shared_size = (128, 256)  # at the scale of the boxes' config
shared_train_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="LoadOccupancy"),
    dict(type="ResizeCropFlipImages", crop=_base_.lane_crop, size=shared_size),
    dict(type="BoxRangeFilter", radius=_base_.detection_range),
    dict(type="PackClip"),
]
shared_test_pipeline = [
    dict(type="LoadMultiCameraImages"),
    dict(type="LoadOccupancy"),
    dict(type="ResizeCropFlipImages", crop=_base_.lane_crop, size=shared_size, training=False),
    dict(type="PackClip"),
]
dataset = dict(bev_frame="ego", occupancy=True)
train_dataloader = dict(
    dataset=dict(pipeline=shared_train_pipeline, lanes=_base_.lane_train_index, **dataset)
)
val_dataloader = dict(dataset=dict(pipeline=shared_test_pipeline, lanes=_base_.lane_val_index, **dataset))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, _base_.occupancy_evaluator, _base_.lane_evaluator]
test_evaluator = val_evaluator
