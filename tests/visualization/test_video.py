from __future__ import annotations

from itertools import chain

import av
import numpy as np
import pytest

from bev.errors import InputError
from bev.visualization import write_mp4


def test_round_trip(tmp_path):
    frames = [np.full((64, 96, 3), value, np.uint8) for value in (20, 120, 220)]
    path = write_mp4(tmp_path / "clip.mp4", frames, fps=2)
    with av.open(str(path)) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(decoded) == 3
    for original, copy in zip(frames, decoded, strict=True):
        assert np.abs(original.astype(int) - copy).mean() < 6
    assert [entry.name for entry in tmp_path.iterdir()] == ["clip.mp4"]


def test_no_frames(tmp_path):
    with pytest.raises(ValueError, match="no frames"):
        write_mp4(tmp_path / "clip.mp4", [])
    assert not list(tmp_path.iterdir())


def test_an_interrupted_or_impossible_video_leaves_nothing(tmp_path):
    def frames():
        yield np.zeros((64, 96, 3), np.uint8)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_mp4(tmp_path / "clip.mp4", frames())
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot write .*file/clip\.mp4: "):
        write_mp4(tmp_path / "file" / "clip.mp4", [np.zeros((64, 96, 3), np.uint8)])


def test_a_frame_of_another_size_is_refused(tmp_path):
    frames = [np.zeros((64, 96, 3), np.uint8), np.zeros((64, 96, 3), np.uint8), np.zeros((48, 96, 3), np.uint8)]
    with pytest.raises(InputError, match=r"clip\.mp4: frame 2 is 96 x 48 pixels, but the first is 96 x 64"):
        write_mp4(tmp_path / "clip.mp4", frames)
    assert not list(tmp_path.iterdir())


def test_two_at_once_do_not_disturb_each_other(tmp_path):
    def frames():
        write_mp4(tmp_path / "clip.mp4", [np.zeros((64, 96, 3), np.uint8)] * 3)
        yield from [np.zeros((64, 96, 3), np.uint8)] * 2

    path = write_mp4(tmp_path / "clip.mp4", chain([np.zeros((64, 96, 3), np.uint8)], frames()))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert write_mp4("http:/127.0.0.1/clip.mp4", [np.zeros((64, 96, 3), np.uint8)]).stat().st_size > 0
