"""The nano model without perspective supervision: what the two others are compared with."""

_base_ = ["bevformerv2_internimage_nano_synthetic.py"]

model = dict(
    encoder=dict(num_levels=3),
    heads=dict(_delete_=True, detection=_base_.model.heads.detection),
)
