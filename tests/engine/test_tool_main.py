from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bev.datasets.image_files import ImageReadError, read_image
from bev.datasets.text_files import TextFileError
from bev.engine.tool_main import run_main
from bev.geometry.grid import BEVGrid


def status_of(main: Callable[[], int | None]) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        run_main(main)
    return caught.value.code


def raising(error: BaseException) -> Callable[[], None]:
    def main() -> None:
        raise error

    return main


def test_what_main_returns_is_the_status() -> None:
    assert status_of(lambda: None) == 0
    assert status_of(lambda: 3) == 3


def test_errors_of_ours_and_of_the_file_system_are_one_line() -> None:
    assert status_of(raising(TextFileError("a.json: not valid JSON"))) == "error: a.json: not valid JSON"
    assert status_of(raising(FileNotFoundError(2, "No such file", "a"))) == "error: [Errno 2] No such file: 'a'"


def test_a_value_error_that_we_raise_is_one_line_and_one_of_a_failed_call_is_not() -> None:
    assert str(status_of(lambda: BEVGrid((1, 0, 0, 0, 1, 1), (2, 2)))).startswith("error: BEVGrid bounds are")
    with pytest.raises(ValueError, match="cannot reshape"):
        run_main(lambda: np.zeros(3).reshape(2, 2))


def test_other_errors_keep_their_traceback_and_all_do_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyError):
        run_main(raising(KeyError("a")))
    monkeypatch.setenv("BEV_TRACEBACK", "1")
    with pytest.raises(TextFileError):
        run_main(raising(TextFileError("a")))


def test_ctrl_c_also_where_a_library_hides_it(capsys: pytest.CaptureFixture[str]) -> None:
    def hidden() -> None:
        try:
            raise KeyboardInterrupt
        except BaseException:
            raise SyntaxError("please check the syntax")  # noqa: B904 (mmengine does so)

    for main in (raising(KeyboardInterrupt()), hidden):
        assert status_of(main) == 130
        assert capsys.readouterr().err == "interrupted\n"


class _Images(Dataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.from_numpy(read_image("nowhere/a.jpg", (1, 1))[0])


def test_an_error_of_a_data_worker_comes_without_its_traceback() -> None:
    def main() -> None:
        next(iter(DataLoader(_Images(), num_workers=1)))

    assert status_of(main) == "error: nowhere/a.jpg: cannot be read (No such file or directory)"
    with pytest.raises(ImageReadError, match="Original Traceback"):
        main()


def test_a_termination_ends_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    removed = []

    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        finally:
            removed.append(True)

    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: None)  # so that the test's own process would go on
    try:
        assert status_of(main) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert removed
    assert capsys.readouterr().err == "interrupted\n"
