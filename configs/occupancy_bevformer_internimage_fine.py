"""InternImage-T with coarse-to-fine voxels: first those of 0.8 m, then the least certain of them split into eight."""

_base_ = ["occupancy_bevformer_internimage_flash.py"]

model = dict(heads=dict(occupancy=dict(decoder=dict(_delete_=True, type="CoarseToFine", in_channels=256, heights=16))))
