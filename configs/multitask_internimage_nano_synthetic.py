"""Detection and occupancy on one BEV in the ego frame, on the synthetic world."""

_base_ = ["bevformerv2_internimage_nano_synthetic.py", "_base_/occupancy_nano.py"]

model = dict(
    encoder=dict(grid=dict(bounds=_base_.ego_bev_bounds)),
    heads=dict(occupancy=_base_.shared_occupancy_head),
)
dataset = dict(bev_frame="ego", occupancy=True)
train_dataloader = dict(dataset=dict(pipeline=_base_.occupancy_train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(pipeline=_base_.occupancy_test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = [_base_.val_evaluator, _base_.occupancy_evaluator]
test_evaluator = val_evaluator
