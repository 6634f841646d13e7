"""DINO on H and G: an Objects365 detector fine-tuned for 20,000 steps of large images.

`tools/train.py --load-from FILE` names the Objects365 detector, converted as the README says. How many images made a
step is not published, so that nothing is scaled by the batch size.
"""

_base_ = ["dino.py", "schedule_dino_1x.py", "runtime.py", "tta.py"]

model = dict(dn_cfg=dict(group_cfg=dict(num_dn_queries=1000)))

train_cfg = dict(_delete_=True, type="IterBasedTrainLoop", max_iters=20000, val_interval=1000)
optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.94, custom_keys=dict(sampling_offsets=dict(lr_mult=1e-3))))
param_scheduler = [dict(type="LinearLR", start_factor=1e-3, by_epoch=False, begin=0, end=500)]
auto_scale_lr = dict(enable=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=1000))
log_processor = dict(by_epoch=False)
# Where the classes are others than those of the first detector, these layers start anew.
class_layers = ("bbox_head.cls_branches.", "dn_query_generator.label_embedding.")
custom_hooks = [*_base_.custom_hooks, dict(type="InitialWeightsHook", checkpoint=None)]
custom_hooks_new_classes = [*_base_.custom_hooks, dict(type="InitialWeightsHook", checkpoint=None, ignore=class_layers)]
