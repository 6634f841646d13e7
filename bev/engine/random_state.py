"""Random numbers that continue where a killed run left off.

mmengine stores the seed but not the state of the generators, and seeds its data workers alike in every epoch, so a
resumed run sees other augmentations and dropout masks than the run it continues. `RandomStateHook` keeps the state of
every rank in the checkpoint, and `seed_worker` derives each worker's generators from the main process's state.
"""

from __future__ import annotations

import random

import cv2
import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS, HOOKS
from mmengine.runner import Runner


def random_state() -> dict:
    """State of this process's Python, NumPy and torch generators, in types that a weights-only load accepts."""
    version, values, gauss = random.getstate()
    numpy_state = np.random.get_state(legacy=False)
    assert isinstance(numpy_state, dict)
    return {
        "python": [version, list(values), gauss],
        "numpy": {
            **numpy_state,
            "state": {**numpy_state["state"], "key": torch.from_numpy(numpy_state["state"]["key"].astype(np.int64))},
        },
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict) -> None:
    """Set this process's generators to a state that `random_state` returned."""
    version, values, gauss = state["python"]
    random.setstate((version, tuple(values), gauss))
    keys = state["numpy"]["state"]["key"].cpu().numpy().astype(np.uint32)
    np.random.set_state({**state["numpy"], "state": {**state["numpy"]["state"], "key": keys}})
    torch.set_rng_state(state["torch"].cpu())
    if torch.cuda.is_available() and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([device_state.cpu() for device_state in state["cuda"]])


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps each rank's random state in checkpoints made at the end of an epoch, and restores it on resume.

    A run resumed on another number of processes starts with fresh random numbers: there is no state to continue.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._gathered: list[dict] | None = None
        self._restore: dict | None = None

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the states while all ranks are here: checkpoints are written on the first one alone."""
        self._gathered = all_gather_object(random_state())

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the states of all ranks into the checkpoint."""
        if self._gathered is not None:
            checkpoint["random_states"] = self._gathered

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember this rank's state if the checkpoint comes from as many processes as run now."""
        states = checkpoint.get("random_states", [])
        if len(states) == get_world_size():
            self._restore = states[get_rank()]

    def before_train_epoch(self, runner: Runner) -> None:
        """Continue the random numbers just before the first resumed epoch draws its workers' seeds."""
        if self._restore is not None and runner.epoch > 0:
            restore_random_state(self._restore)
        self._restore = None


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Seed a data worker from the seed that torch gave it, which differs by worker, epoch and rank.

    OpenCV's own threads are switched off: one worker is one core.
    """
    seed = torch.initial_seed() % 2**32
    random.seed(seed)
    np.random.seed(seed)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
