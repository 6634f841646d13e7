"""Lane topology that two CPU cores train in minutes on the synthetic world, with boxes as supervision of the images.

tools/create_data.py synthetic-lanes --root data/synthetic_lanes --reach 32 16
"""

_base_ = ["bevformerv2_internimage_nano_synthetic.py", "_base_/openlane_nano.py"]

data_root = "data/synthetic_lanes"

model = dict(
    encoder=_base_.lane_encoder,
    heads=dict(
        _delete_=True,
        lanes=_base_.lane_head,
        image_lanes=_base_.image_lane_head,
        perspective=_base_.model.heads.perspective,
    ),
)
dataset = dict(data_root=data_root, bev_frame="ego")
train_dataloader = dict(dataset=dict(lanes=_base_.lane_train_index, pipeline=_base_.lane_train_pipeline, **dataset))
val_dataloader = dict(dataset=dict(lanes=_base_.lane_val_index, pipeline=_base_.lane_test_pipeline, **dataset))
test_dataloader = val_dataloader
val_evaluator = dict(_base_.lane_evaluator, _delete_=True, data_root=data_root)
test_evaluator = val_evaluator

# Frames of one scene show the same roads: many scenes of one frame teach more than few long ones. The length is counted
# in iterations, so that more scenes take no more time.
iterations = 4800
train_cfg = dict(_delete_=True, type="IterBasedTrainLoop", max_iters=iterations, val_interval=iterations)
param_scheduler = [
    _base_.param_scheduler[0],
    dict(type="CosineAnnealingLR", by_epoch=False, begin=0, T_max=iterations, eta_min_ratio=0.01),
]
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=800))
log_processor = dict(by_epoch=False)
