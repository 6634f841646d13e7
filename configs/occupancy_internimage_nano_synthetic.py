"""Occupancy that two CPU cores learn in minutes on the synthetic world, with boxes as supervision of the images."""

_base_ = ["bevformerv2_internimage_nano_synthetic.py", "_base_/occupancy_nano.py"]

model = dict(
    encoder=dict(grid=dict(bounds=_base_.ego_bev_bounds)),
    heads=dict(_delete_=True, occupancy=_base_.occupancy_head, perspective=_base_.model.heads.perspective),
)
dataset = dict(bev_frame="ego", occupancy=True)
train_dataloader = dict(dataset=dict(pipeline=_base_.occupancy_train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=_base_.occupancy_test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, **_base_.occupancy_evaluator)
test_evaluator = val_evaluator
