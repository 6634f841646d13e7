from __future__ import annotations

from tool_runs import finish_tool


def test_a_pattern_that_fits_no_config_is_refused() -> None:
    finished = finish_tool("model_zoo", "bevformer_tiny", "no_such_*")
    assert finished.status == 1
    assert finished.err.strip().startswith("error: no config no_such_* in ")
    assert not finished.out
