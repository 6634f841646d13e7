"""Random numbers that differ between ranks, and continue where a killed run left off.

mmengine seeds all ranks alike, and its data workers alike in every epoch, and stores the seed but not the state of the
generators: ranks would augment their samples alike, and a resumed run would see other augmentations and dropout masks
than the run it continues. `RandomStateHook` gives each rank numbers of its own and keeps their state in the checkpoint,
and `seed_worker` derives each worker's generators from the main process's state.
"""

from __future__ import annotations

import os
import random
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import CheckpointHook, Hook
from mmengine.registry import FUNCTIONS, HOOKS
from mmengine.runner import Runner, set_random_seed

_SEEDS_OF_A_RANK = 1_000_003  # more than workers, whose seeds count up from that of the epoch


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
    """Gives each rank its own random numbers, keeps their state in checkpoints, and restores it on resume.

    The first rank has those of the seed. A run resumed on another number of processes starts with fresh random numbers:
    there is no state to continue. A validation leaves the numbers of the training as they were, so that a run resumed
    after it draws the same.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._gathered: list[dict] | None = None
        self._restore: dict | None = None
        self._training: dict | None = None

    def before_train(self, runner: Runner) -> None:
        """Part the ranks, once the model is the same on all of them."""
        if get_rank() > 0:
            set_random_seed(runner.seed, diff_rank_seed=True)

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Gather the states where a checkpoint within an epoch follows."""
        saving = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and not hook.by_epoch]
        if any(self.every_n_train_iters(runner, hook.interval, hook.save_begin) for hook in saving):
            self._gathered = all_gather_object(random_state())

    def after_train_epoch(self, runner: Runner) -> None:
        """Gather the states while all ranks are here: checkpoints are written on the first one alone."""
        self._gathered = all_gather_object(random_state())

    def before_val(self, runner: Runner) -> None:
        """Set the random numbers of the training aside."""
        self._training = random_state()

    def after_val(self, runner: Runner) -> None:
        """Go on with them."""
        if self._training is not None:
            restore_random_state(self._training)

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
        if self._restore is not None and runner.iter > 0:
            restore_random_state(self._restore)
        self._restore = None


@FUNCTIONS.register_module()
def seed_worker(worker_id: int) -> None:
    """Seed a data worker from the rank and from the seed that torch gave it, which differs by worker and epoch.

    OpenCV's own threads are switched off: one worker is one core.
    """
    rank = get_rank() or int(os.environ.get("RANK", "0"))  # spawned workers know of no process group
    seed = torch.initial_seed() + _SEEDS_OF_A_RANK * rank
    torch.manual_seed(seed)
    random.seed(seed % 2**32)
    np.random.seed(seed % 2**32)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
