from __future__ import annotations

import pytest

from bev.datasets import scene_sampler
from bev.datasets.scene_sampler import SceneSampler, split_scenes


class Scenes:
    """A data set of a few scenes."""

    def __init__(self, lengths: list[int]) -> None:
        self.scenes = [f"s{i}" for i, length in enumerate(lengths) for _ in range(length)]

    def __len__(self) -> int:
        return len(self.scenes)

    def scene_of(self, index: int) -> str:
        return self.scenes[index]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_runs_hold_whole_scenes_and_every_sample_once(parts: int) -> None:
    data = Scenes([4, 1, 6, 3, 5])
    runs = split_scenes(data.scenes, parts)
    assert [index for run in runs for index in run] == list(range(len(data)))
    owners = {
        scene: {i for i, run in enumerate(runs) for index in run if data.scenes[index] == scene}
        for scene in data.scenes
    }
    assert all(len(ranks) == 1 for ranks in owners.values())


def test_all_processes_make_the_same_number_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    data, seen = Scenes([4, 1, 6]), set()
    lengths = set()
    for rank in range(4):
        monkeypatch.setattr(scene_sampler, "get_dist_info", lambda rank=rank: (rank, 4))
        sampler = SceneSampler(data)
        lengths.add(len(sampler))
        seen |= set(sampler)
    assert seen == set(range(11))
    assert len(lengths) == 1
