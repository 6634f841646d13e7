"""InternImage-T with the fast head: heights from channels (FlashOcc, arXiv 2311.12058), losses on what cameras see.

The losses beside class-balanced cross-entropy are those of MonoScene (arXiv 2112.00726) and Lovasz-softmax.
"""

_base_ = ["occupancy_bevformer_internimage_t.py"]

mask = "camera"

model = dict(
    heads=dict(
        occupancy=dict(
            decoder=dict(_delete_=True, type="ChannelToHeight", in_channels=256, heights=16),
            losses=[
                dict(type="VoxelCrossEntropy", mask=mask, class_counts=_base_.occupancy_counts),
                dict(type="LovaszSoftmax", mask=mask),
                dict(type="SceneClassAffinity", kind="geometric", mask=mask),
                dict(type="SceneClassAffinity", kind="semantic", mask=mask),
            ],
        )
    )
)
val_evaluator = dict(training_mask=mask)
test_evaluator = val_evaluator
