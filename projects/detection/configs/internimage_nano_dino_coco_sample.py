"""A small DINO on the same few images: what its tests train for some steps."""

_base_ = ["_base_/dino.py", "_base_/coco_sample.py", "_base_/runtime.py", "_base_/tta.py"]

narrow = dict(ffn_cfg=dict(feedforward_channels=256))  # mmdet's DINO works with 256 channels alone
model = dict(
    num_queries=50,
    backbone=dict(
        channels=16,
        depths=(1, 1, 1, 1),
        groups=(1, 2, 4, 8),
        layer_scale=None,
        drop_path_rate=0.0,
        with_cp=False,
    ),
    neck=dict(in_channels=[32, 64, 128]),
    encoder=dict(num_layers=1, layer_cfg=narrow),
    decoder=dict(num_layers=2, layer_cfg=narrow),
    dn_cfg=dict(group_cfg=dict(num_dn_queries=20)),
    test_cfg=dict(max_per_img=50),
)
train_pipeline = [_base_.load, dict(type="LoadAnnotations", with_bbox=True), _base_.small, _base_.pack]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
sizes = [dict(type="Resize", scale=(side, side), keep_ratio=True) for side in (320, 384)]
rest = _base_.tta_pipeline[1].transforms[1:]
tta_pipeline = [_base_.load, dict(type="TestTimeAug", transforms=[sizes, *rest])]
count_size = (320, 320)
