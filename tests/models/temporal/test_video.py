from __future__ import annotations

import torch
from mmdet3d.structures import Det3DDataSample
from test_recurrent import moving_clip, recurrent_perceptor

from bev.models.temporal.video import VideoMemory
from bev.structures import BEVMemory


def sample(scene: str = "a", time: float | None = None) -> Det3DDataSample:
    return Det3DDataSample(metainfo={"scene_token": scene, **({} if time is None else {"timestamp": time})})


def test_a_scene_is_remembered_as_long_as_time_goes_on() -> None:
    video, memory = VideoMemory(), BEVMemory(torch.zeros(1, 4, 2, 2), torch.ones(1, dtype=torch.bool), None, None)

    def remembers(scene: str, time: float | None = None) -> bool:
        found = video.read([sample(scene, time)])
        video.write(memory)
        return found is memory

    assert [remembers("a", time) for time in (1.0, 1.5, 2.0)] == [False, True, True]
    assert [remembers("a", time) for time in (1.0, 1.5, 1.5)] == [False, True, False]
    assert [remembers(scene, 9.0) for scene in ("b", "a")] == [False, False]
    assert [remembers("c") for _ in range(2)] == [False, True]
    video.reset()
    assert not remembers("c")


@torch.no_grad()
def test_an_evaluation_knows_nothing_of_the_one_before() -> None:
    perceptor, clip = recurrent_perceptor(video_test_mode=True), moving_clip(1)

    def evaluate() -> list[torch.Tensor]:
        perceptor.eval()
        scores = []
        for t in range(2):
            found = perceptor(clip.frame_in_own_bev(t), [sample()], mode="predict")
            scores.append(found[0].pred_instances_3d.scores_3d)
        return scores

    first, second = evaluate(), evaluate()
    perceptor.train()
    third = evaluate()
    assert all(torch.equal(*scores) for again in (second, third) for scores in zip(first, again, strict=True))
