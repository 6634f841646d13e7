"""The published optimizer: AdamW at 6e-5 for 16 images per step, which is not scaled with the batch size.

On fewer GPUs accumulate gradients (`--cfg-options optim_wrapper.accumulative_counts=4`).
"""

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=6e-5, betas=(0.9, 0.999), weight_decay=0.05),
    constructor="LayerDecayOptimWrapperConstructor",
    paramwise_cfg=dict(layer_decay_rate=1.0),
)
