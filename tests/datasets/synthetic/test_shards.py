from __future__ import annotations

from pathlib import Path

import pytest

from bev.datasets.synthetic.shards import read_shard
from bev.datasets.text_files import TextFileError


@pytest.mark.parametrize("content", ["", "[1]", '{"recipe": {}}'])
def test_damaged_shards_are_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "scene.json").write_text(content)
    with pytest.raises(TextFileError, match=r"scene\.json.*make the world again"):
        read_shard(tmp_path / "scene.json")
