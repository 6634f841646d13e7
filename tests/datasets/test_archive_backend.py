from __future__ import annotations

import io
import json
import multiprocessing
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from mmengine import fileio

import bev.datasets.archive_backend  # noqa: F401 (registers the backend)
from bev.datasets import archives
from bev.datasets.archives import ArchiveError, TarArchive, open_archive
from bev.datasets.parallel import run_forked

FILES = {"a/one.txt": b"1", "a/deep/two.txt": b"22", "b/three.txt": b"333"}


def write_tar(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def unpacked(root: Path) -> None:
    for name, content in FILES.items():
        path = root / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def one_zip(root: Path) -> None:
    write_zip(root / "data.zip", FILES)


def one_tar(root: Path) -> None:
    write_tar(root / "data.tar", {f"./{name}": content for name, content in FILES.items()})


def tar_of_the_whole_folder(root: Path) -> None:
    write_tar(root / "data.tar", {f"data/{name}": content for name, content in FILES.items()})


def archive_per_folder(root: Path) -> None:
    write_tar(root / "data" / "a.tar", {"one.txt": b"1", "deep/two.txt": b"22"})
    write_zip(root / "data" / "b.zip", {"three.txt": b"333"})


LAYOUTS = [unpacked, one_zip, one_tar, tar_of_the_whole_folder, archive_per_folder]


@pytest.mark.parametrize("make", LAYOUTS, ids=lambda make: make.__name__)
def test_every_layout_looks_like_the_unpacked_folder(make, tmp_path: Path) -> None:
    make(tmp_path)
    root = f"archive://{tmp_path}/data"
    for name, content in FILES.items():
        assert fileio.get(f"{root}/{name}") == content
        assert fileio.isfile(f"{root}/{name}") and not fileio.isdir(f"{root}/{name}")
    assert fileio.isdir(f"{root}/a/deep") and fileio.isdir(root)
    assert not fileio.exists(f"{root}/a/none.txt")
    for _ in range(2):  # the second time an index lies beside each tar
        assert list(fileio.list_dir_or_file(root)) == ["a", "b"]
        files = fileio.list_dir_or_file(root, list_dir=False, recursive=True, suffix=".txt")
        assert list(files) == sorted(FILES)


def test_the_index_of_a_tar_is_kept_and_renewed(tmp_path: Path) -> None:
    archive = write_tar(tmp_path / "data.tar", {"a.txt": b"old"})
    assert open_archive(archive).read("a.txt") == b"old"
    index = tmp_path / "data.tar.index.json"
    assert json.loads(index.read_text())["files"] == {"a.txt": [512, 3]}
    write_tar(archive, {"b.txt": b"newer"})
    os.utime(archive, ns=(1, 1))
    assert open_archive(archive).read("b.txt") == b"newer"
    assert "a.txt" not in open_archive(archive)
    index.write_text("{")  # of another program
    os.utime(archive, ns=(2, 2))
    assert open_archive(archive).read("b.txt") == b"newer"


def _read_in_turns(path: Path, name: str, content: bytes, results) -> None:
    archive = open_archive(path)
    results.put(all(archive.read(name) == content for _ in range(50)))


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_processes_forked_after_opening_read_side_by_side(write, tmp_path: Path) -> None:
    files = {f"{letter}.txt": letter.encode() * 5000 for letter in "ab"}
    path = write(tmp_path / ("data.tar" if write is write_tar else "data.zip"), files)
    open_archive(path).read("a.txt")
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_read_in_turns, args=(path, *item, results)) for item in files.items()]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [True, True]
    for worker in workers:
        worker.join()


def _open_below(folder: Path) -> int:
    """Number of files below a folder that this process has open."""
    places = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(place.is_relative_to(folder) for place in places)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="lists open files as Linux does")
def test_few_of_many_archives_are_open_at_once(tmp_path: Path) -> None:
    tars = [write_tar(tmp_path / f"{i}.tar", {"a.txt": str(i).encode()}) for i in range(100)]
    opened = [open_archive(path) for path in tars]
    for _ in range(2):
        assert [archive.read("a.txt") for archive in opened] == [str(i).encode() for i in range(100)]
    assert 0 < _open_below(tmp_path) <= 64


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_forked_processes_read_a_zip_without_its_table(tmp_path: Path, monkeypatch, compression: int) -> None:
    path, files = tmp_path / "data.zip", {"a/one.txt": b"1" * 1000, "a/none.txt": b"", "two.txt": b"22"}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.extra = b"\x01\x00\x02\x00ab"
            archive.writestr(info, content, compression)
    open_archive(path)
    monkeypatch.setattr(zipfile, "ZipFile", None)  # can't be called
    names = list(files)
    assert list(run_forked(lambda name: open_archive(path).read(name), names[:1] * 2, workers=2)) == [b"1" * 1000] * 2
    assert [open_archive(path).read(name) for name in names] == list(files.values())


def test_an_archive_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    for size in (1000, 2000):
        path = write_zip(tmp_path / "new.zip", {"one.txt": os.urandom(size)})
        path.replace(tmp_path / "data.zip")
        assert len(open_archive(tmp_path / "data.zip").read("one.txt")) == size


def _patch_zip(path: Path, field: int, value: int) -> None:
    """Sets two bytes of the only entry in a zip's table of contents."""
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + field : entry + field + 2] = value.to_bytes(2, "little")
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (8, 1, "it is encrypted; pack the archive again without a password"),
        (10, 12, "it is compressed by method 12; pack the archive again, stored or deflated"),
        (24, 999, "its content doesn't fit its size and checksum"),
        (24, 1001, "its content doesn't fit its size and checksum"),
        (20, 5, "its content doesn't fit its size and checksum"),
        (42, 7, "there is no header where it should begin"),
    ],
)
def test_a_zip_entry_that_cannot_be_read_is_named(tmp_path: Path, field: int, value: int, message: str) -> None:
    path = write_zip(tmp_path / "data.zip", {"one.txt": bytes(range(250)) * 4})
    _patch_zip(path, field, value)
    with pytest.raises(ArchiveError, match=rf"data\.zip: one\.txt can't be read \({message}\)"):
        open_archive(path).read("one.txt")


def test_damaged_archives_are_named(tmp_path: Path) -> None:
    compressed = write_tar(tmp_path / "one.tar", {"a.txt": b"1"}, "w:gz")
    with pytest.raises(ArchiveError, match=r"one\.tar is no uncompressed tar"):
        open_archive(compressed)
    (tmp_path / "two.zip").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(ArchiveError, match=r"two\.zip is no zip file, or cut short"):
        open_archive(tmp_path / "two.zip")
    cut = write_tar(tmp_path / "three.tar", {"a.txt": b"1" * 5000})
    archive = open_archive(cut)
    os.truncate(cut, 1000)
    with pytest.raises(ArchiveError, match=r"three\.tar is cut short: a\.txt has 488 of 5000 bytes"):
        archive.read("a.txt")


def test_missing_files_are_named(tmp_path: Path) -> None:
    write_zip(tmp_path / "data.zip", FILES)
    with pytest.raises(FileNotFoundError, match=r"data/a/none\.txt doesn't exist, and .*data\.zip has no a/none\.txt"):
        fileio.get(f"archive://{tmp_path}/data/a/none.txt")
    with pytest.raises(FileNotFoundError, match="no archive stands in"):
        fileio.get(f"archive://{tmp_path}/other/none.txt")
    with pytest.raises(FileNotFoundError, match="no folder"):
        list(fileio.list_dir_or_file(f"archive://{tmp_path}/other"))
    backend = fileio.get_file_backend(f"archive://{tmp_path}")
    with pytest.raises(FileNotFoundError, match="unpack its archive"), backend.get_local_path(f"{tmp_path}/data/a/one"):
        pass


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_file_in_a_zip_is_named(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "data.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("one.txt", b"1" * 1000)
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"  # behind the header of 37 bytes
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match=r"data\.zip: one\.txt can't be read"):
        open_archive(path).read("one.txt")


def test_places_in_a_tar_are_read_from_its_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_tar(tmp_path / "data.tar", FILES)
    assert TarArchive(path).read("a/one.txt") == b"1"
    monkeypatch.setattr(archives, "_scan", None)  # can't be called
    assert TarArchive(path).read("b/three.txt") == b"333"


def test_a_tar_is_read_where_no_index_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(30, "read-only file system")

    monkeypatch.setattr(archives, "write_json", full)
    assert TarArchive(write_tar(tmp_path / "data.tar", FILES)).read("a/deep/two.txt") == b"22"
