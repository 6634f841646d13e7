"""The published optimizer of L to G: 2e-5, less for layers further from the output, gradients clipped."""

_base_ = ["optimizer.py"]

optim_wrapper = dict(
    optimizer=dict(lr=2e-5),
    paramwise_cfg=dict(layer_decay_rate=0.94),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
