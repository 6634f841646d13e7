"""DINO, InternImage-L, 1x with the backbone at a tenth of the learning rate."""

_base_ = ["dino_internimage_l_1x_coco.py"]

optim_wrapper = dict(
    optimizer=dict(weight_decay=0.05),
    paramwise_cfg=dict(_delete_=True, layer_decay_rate=1.0, backbone_lr_mult=0.1),
)
published = dict(result="box 57.6 AP")
