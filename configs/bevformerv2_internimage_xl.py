"""BEVFormer v2 with InternImage-XL: the headline model, 63.4 NDS on the nuScenes test set (arXiv 2211.10439).

Its configuration was never released. Known: images of 640 x 1600, and future frames on the test set. Taken from the
published parts: eight frames and hidden width 512 in the fusion as in BEVFormer v2's t8, layer decay 0.94 and drop
path 0.4 as for InternImage-XL in a detector. Challenges that ask for online methods do not allow future frames, so all
frames here are past ones; for others, give `frame_offsets` such as (-3, ..., 3).
"""

_base_ = ["_base_/bevformerv2.py"]

frame_offsets = tuple(range(-7, 1))

model = dict(
    backbone=dict(type="InternImage", variant="xl", out_indices=(1, 2, 3), drop_path_rate=0.4, with_cp=True),
    neck=dict(in_channels=[384, 768, 1536]),
    temporal=dict(num_frames=len(frame_offsets), hidden_dims=512),
)

optim_wrapper = dict(
    constructor="LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(_delete_=True, layer_decay_rate=0.94, backbone_lr_mult=0.5),
)
train_dataloader = dict(batch_size=1, dataset=dict(frame_offsets=frame_offsets))
val_dataloader = dict(dataset=dict(frame_offsets=frame_offsets))
test_dataloader = val_dataloader
