"""How clips are drawn and batched, and loops over the held-out ones; data sets come on top."""

train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    sampler=dict(type="DefaultSampler", shuffle=True),
    collate_fn=dict(type="collate_clips"),
    worker_init_fn=dict(type="seed_worker"),
)
val_dataloader = dict(train_dataloader, sampler=dict(type="DefaultSampler", shuffle=False))
test_dataloader = val_dataloader
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
