from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from tool_runs import load_tool

from bev.errors import InputError

VALUES = {("a", "seed0"): 0.1, ("a", "seed1"): 0.3, ("b", "seed0"): 0.2, ("b", "seed1"): 0.2}


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    return load_tool("compare")


@pytest.fixture
def commands(compare: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the tool would run; each command leaves the file that is waited for."""
    ran: list[list[str]] = []

    def stand_in(command: list[str], check: bool) -> SimpleNamespace:
        tool, *words = command[1:]
        ran.append([Path(tool).name, *words])
        out = Path(words[words.index("--work-dir") + 1])
        out.mkdir(parents=True)
        if Path(tool).name == "train.py":
            (out / "final.pth").touch()
        else:
            value = VALUES[out.parts[-3:-1]]
            metrics = {f"nuscenes/{metric}": value for metric in ("mAP", "NDS", "mATE")}
            (out / "test_metrics.json").write_text(json.dumps(metrics))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(compare.subprocess, "run", stand_in)
    return ran


def test_runs_are_tabled_and_finished_ones_read(compare, commands, tmp_path: Path, capsys) -> None:
    arguments = ["a.py", "b.py", "--seeds", "0", "1", "--work-dir", str(tmp_path)]
    for _ in range(2):
        compare.main(arguments)
        lines = capsys.readouterr().out.splitlines()
        assert lines[-2] == "| a | 0.200 ± 0.141 | 0.200 ± 0.141 | 0.200 ± 0.141 | 0.100 0.300 |"
        assert lines[-1].startswith("| b | 0.200 ± 0.000")
    assert len(commands) == 8


def test_overrides_reach_training_and_evaluation(compare, commands, tmp_path: Path) -> None:
    options = ["--cfg-options", "model.head.num_layers=2", "x.y=[1,2]"]
    compare.main(["a.py", "--seeds", "0", "--work-dir", str(tmp_path), *options])
    assert [command[0] for command in commands] == ["train.py", "test.py"]
    for command in commands:
        assert command[command.index("--cfg-options") + 1 :] == ["randomness.seed=0", *options[1:]]


def test_configs_of_one_name_are_refused(compare, commands, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="2 configs are called a; results are kept by name"):
        compare.main(["one/a.py", "b.py", "two/a.py", "--work-dir", str(tmp_path)])
    assert commands == [] and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--cfg-options", "x.y=3"], r"the run has cfg_options {'x\.y': '2'}, not {'x\.y': '3'}"),
        ([], r"the run has cfg_options {'x\.y': '2'}, not {}"),
        (["--cfg-options", "x.y=2", "--data-root", "d"], "the run has data_root None, not d"),
    ],
)
def test_results_of_other_options_are_refused(compare, commands, tmp_path: Path, more, message: str) -> None:
    arguments = ["a.py", "--seeds", "0", "--work-dir", str(tmp_path)]
    compare.main([*arguments, "--cfg-options", "x.y=2"])
    with pytest.raises(InputError, match=rf"seed0/options\.json: {message}; choose another --work-dir"):
        compare.main([*arguments, *more])
    compare.main([*arguments, "--cfg-options", "x.y=2"])
    assert len(commands) == 2


def test_a_config_of_the_same_name_elsewhere_is_refused(compare, commands, tmp_path: Path) -> None:
    compare.main(["one/a.py", "--seeds", "0", "--work-dir", str(tmp_path)])
    with pytest.raises(InputError, match=r"the run has config .*one/a\.py, not .*two/a\.py"):
        compare.main(["two/a.py", "--seeds", "0", "--work-dir", str(tmp_path)])


def test_results_without_a_note_are_said_to_be_taken_as_they_are(compare, commands, tmp_path: Path, capsys) -> None:
    compare.main(["a.py", "--seeds", "0", "--work-dir", str(tmp_path)])
    (tmp_path / "a" / "seed0" / "options.json").unlink()
    compare.main(["a.py", "--seeds", "0", "--work-dir", str(tmp_path)])
    assert "seed0: nothing says what its results were made with; they are taken to be of" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"the run has cfg_options \{\}, not "):
        compare.main(["a.py", "--seeds", "0", "--work-dir", str(tmp_path), "--cfg-options", "x.y=2"])


def test_a_failing_run_stops_with_its_name(compare, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no_such_config, seed 0 failed"):
        compare.main([str(tmp_path / "no_such_config.py"), "--seeds", "0", "--work-dir", str(tmp_path)])


def test_nan_is_shown_as_such(compare) -> None:
    runs = [{"mAP": float("nan"), "NDS": 0.5, "mATE": 1}, {"mAP": 0.1, "NDS": 0.5, "mATE": 1}]
    assert compare.table({"a": runs})[-1] == "| a | nan ± nan | 0.500 ± 0.000 | 1.000 ± 0.000 | nan 0.100 |"


@pytest.mark.parametrize("value", ["x", None, [1]])
def test_results_that_are_no_numbers_are_named(compare, commands, tmp_path: Path, value: object) -> None:
    arguments = ["a.py", "--seeds", "0", "--work-dir", str(tmp_path)]
    compare.main(arguments)
    (path,) = tmp_path.rglob("test_metrics.json")
    path.write_text(json.dumps({"nuscenes/mAP": value, "nuscenes/NDS": 1, "nuscenes/mATE": 1}))
    with pytest.raises(InputError, match=r"test_metrics\.json: 'nuscenes/mAP' is .*, not a number; delete it"):
        compare.main(arguments)
