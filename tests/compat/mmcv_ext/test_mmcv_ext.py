from __future__ import annotations

import importlib

import mmcv.ops
import pytest
import torch

EXTENSION = importlib.import_module("mmcv._ext")


def test_unserved_op_is_named_when_called_through_mmcv() -> None:
    points = torch.zeros(1, 4, 3)
    with pytest.raises(NotImplementedError, match=r"mmcv op 'three_nn_forward' was called.*install the full mmcv"):
        mmcv.ops.three_nn(points, points)


def test_unserved_op_exists_until_it_is_called() -> None:
    assert callable(EXTENSION.an_op_of_tomorrow)
    with pytest.raises(NotImplementedError, match="'an_op_of_tomorrow'"):
        EXTENSION.an_op_of_tomorrow(1, key=2)


def test_python_internals_are_not_mistaken_for_ops() -> None:
    assert not hasattr(EXTENSION, "__wrapped__")
    with pytest.raises(AttributeError, match=r"'mmcv\._ext' has no attribute '_private'"):
        EXTENSION._private  # noqa: B018
