"""Run under torchrun: train one epoch as tools/train.py does and report what this rank's model holds."""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import torch

import bev
from bev.engine.cli import add_experiment_arguments, load_experiment
from bev.engine.runner import build_runner


def digest(model: torch.nn.Module) -> str:
    content = b"".join(parameter.detach().numpy().tobytes() for parameter in model.parameters())
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser()
    add_experiment_arguments(parser)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    bev.register_all()
    config = load_experiment(args)
    config.work_dir = str(args.out)
    runner = build_runner(config, launcher="pytorch")
    seen: list[str] = []
    original = runner.model.train_step
    initial = digest(runner.model)

    def train_step(data: dict, optim_wrapper: object) -> dict:
        seen.extend(sample.sample_token for sample in data["data_samples"])
        return original(data, optim_wrapper=optim_wrapper)

    runner.model.train_step = train_step
    runner.train()
    report = {"parameters": digest(runner.model), "initial": initial, "samples": seen}
    (args.out / f"rank{torch.distributed.get_rank()}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
