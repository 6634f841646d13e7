"""What every experiment shares: hooks, logs, checkpoints, random numbers."""

default_scope = "mmengine"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2, backend_args=dict(backend="atomic")),
    sampler_seed=dict(type="DistSamplerSeedHook"),
)
custom_hooks = [dict(type="ResumeCheckHook"), dict(type="RandomStateHook"), dict(type="TrainingSummaryHook")]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl", timeout=3600),  # seconds: the first rank evaluates while the others wait
)
visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
log_processor = dict(type="LogProcessor", window_size=50, by_epoch=True)
log_level = "INFO"

randomness = dict(seed=0, deterministic=False)
load_from = None
resume = False
