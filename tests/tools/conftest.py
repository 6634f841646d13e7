from __future__ import annotations

from pathlib import Path

import pytest
from tool_world import build_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small specimen of everything that the tools read; tests take clones of it."""
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return build_world(folder)
