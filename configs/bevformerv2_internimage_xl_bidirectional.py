"""BEVFormer v2 with InternImage-XL and frames of the future, as in the paper's test entries (2211.10439, table 2).

Which frames the entry used was not released; these reach 1.5 s to either side. Not allowed where methods must be
online.
"""

_base_ = ["bevformerv2_internimage_xl.py"]

frame_offsets = tuple(range(-3, 4))

model = dict(temporal=dict(num_frames=len(frame_offsets)))
train_dataloader = dict(dataset=dict(frame_offsets=frame_offsets))
val_dataloader = dict(dataset=dict(frame_offsets=frame_offsets))
test_dataloader = val_dataloader
