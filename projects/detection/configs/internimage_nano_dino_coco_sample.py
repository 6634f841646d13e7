"""A small DINO on the same few images: what its tests train for some steps."""

_base_ = ["_base_/dino.py", "_base_/coco_sample.py", "_base_/runtime.py", "_base_/tta.py"]

dims = 32
feed_forward = dict(embed_dims=dims, feedforward_channels=64)
attention = dict(embed_dims=dims, num_heads=4)
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
    neck=dict(in_channels=[32, 64, 128], out_channels=dims, norm_cfg=dict(num_groups=4)),
    encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=feed_forward)),
    decoder=dict(
        num_layers=2,
        layer_cfg=dict(self_attn_cfg=attention, cross_attn_cfg=attention, ffn_cfg=feed_forward),
    ),
    positional_encoding=dict(num_feats=dims // 2),
    bbox_head=dict(embed_dims=dims),
    dn_cfg=dict(group_cfg=dict(num_dn_queries=20)),
    test_cfg=dict(max_per_img=50),
)
train_pipeline = [_base_.load, dict(type="LoadAnnotations", with_bbox=True), _base_.small, _base_.pack]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
val_evaluator = dict(metric="bbox")
test_evaluator = val_evaluator
max_epochs = 1
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
sizes = [dict(type="Resize", scale=(side, side), keep_ratio=True) for side in (320, 384)]
rest = _base_.tta_pipeline[1].transforms[1:]
tta_pipeline = [_base_.load, dict(type="TestTimeAug", transforms=[sizes, *rest])]
count_size = (320, 320)
