from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "models"))
import golden_bevformer as reference

from bev.engine.official_names import bevformerv2_official_name, reason_not_ours

MODELS = {
    "t1_base": {},
    "t1": {"num_groups": 11},
    "t2": {"num_groups": 11, "num_frames": 2},
    "t8": {"num_groups": 11, "num_frames": 8, "hidden_dims": 512},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_key_of_the_published_models_has_its_place(goldens, name):
    official = json.loads((goldens / "bevformerv2_keys" / f"keys_bevformerv2_r50_{name}.json").read_text())
    with torch.device("meta"):
        detector = reference.build_detector((200, 200), 900, filled=False, **MODELS[name])
    state = detector.state_dict()
    renamed = {bevformerv2_official_name(key): list(value.shape) for key, value in state.items()}
    assert len(renamed) == len(state), "two of our keys have one official name"
    expected = {key: shape for key, shape in official.items() if reason_not_ours(key) is None}
    assert renamed == expected


def test_a_key_without_counterpart_is_refused():
    with pytest.raises(KeyError, match=r"heads\.detection\.decoder\.queries\.heatmap\.0\.weight has no counterpart"):
        bevformerv2_official_name("heads.detection.decoder.queries.heatmap.0.weight")
