"""BEVFormer v2 with ResNet-50, eight frames: val NDS 55.3, mAP 46.0 in 24 epochs, as published."""

_base_ = ["_base_/bevformerv2_r50.py"]

published = dict(result="55.3 / 46.0", source="its repository")

frame_offsets = tuple(range(-7, 1))

model = dict(temporal=dict(num_frames=len(frame_offsets), hidden_dims=512))
train_dataloader = dict(dataset=dict(frame_offsets=frame_offsets))
val_dataloader = dict(dataset=dict(frame_offsets=frame_offsets))
test_dataloader = val_dataloader
