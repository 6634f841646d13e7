from __future__ import annotations

import pytest
from tool_runs import TOOLS, finish_tool


def test_a_pattern_that_fits_no_config_is_refused() -> None:
    finished = finish_tool("model_zoo", "bevformer_tiny", "no_such_*")
    assert finished.status == 1
    assert finished.err.strip().startswith("error: no config no_such_* in ")
    assert not finished.out


def documented_rows() -> dict[str, str]:
    lines = (TOOLS.parent / "docs" / "model_zoo.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and line.count("|") == 9]
    return {row.split("|")[1].strip(): row for row in rows}


@pytest.mark.parametrize(
    "pattern",
    [
        *("bevformerv2_internimage_nano_two_stage", "multitask_internimage_nano_synthetic"),
        *("occupancy_internimage_nano_synthetic", "openlane_internimage_nano_synthetic"),
        pytest.param("*", marks=pytest.mark.slow),
    ],
)
def test_the_documented_table_is_what_the_tool_prints(pattern: str) -> None:
    finished = finish_tool("model_zoo", pattern)
    assert finished.status == 0
    header, _, *rows = finished.out.splitlines()
    documented = documented_rows()
    assert documented["config"] == header
    assert rows == [documented[row.split("|")[1].strip()] for row in rows]
    if pattern == "*":
        assert len(rows) == len(documented) - 1
