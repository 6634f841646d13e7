"""Lane topology that two CPU cores train in minutes on the synthetic world, with boxes as supervision of the images.

tools/create_data.py synthetic-lanes --root data/synthetic
"""

_base_ = ["bevformerv2_internimage_nano_synthetic.py", "_base_/openlane_nano.py"]

model = dict(
    encoder=dict(grid=dict(bounds=_base_.lane_bev_bounds, shape=(32, 64))),
    heads=dict(_delete_=True, lanes=_base_.lane_head, perspective=_base_.model.heads.perspective),
)
train_dataloader = dict(
    dataset=dict(bev_frame="ego", lanes=_base_.lane_train_index, pipeline=_base_.lane_train_pipeline)
)
val_dataloader = dict(dataset=dict(bev_frame="ego", lanes=_base_.lane_val_index, pipeline=_base_.lane_test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.lane_evaluator)
test_evaluator = val_evaluator
