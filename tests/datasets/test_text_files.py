from __future__ import annotations

from pathlib import Path

import pytest

from bev.datasets.text_files import (
    TextFileError,
    file_part,
    one_line,
    read_json,
    read_text,
    read_yaml,
    shorten,
    write_json,
)
from bev.errors import InputError


class _OwnError(ValueError):
    pass


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_is_whole_is_read(tmp_path: Path) -> None:
    assert read_json(write(tmp_path / "a.json", b'{"a": [1]}'), dict) == {"a": [1]}
    assert read_json(write(tmp_path / "b.json", b"[1]"), list) == [1]
    assert read_yaml(write(tmp_path / "a.yaml", "a: [Köln]".encode()), "") == {"a": ["Köln"]}
    assert read_text(write(tmp_path / "a.txt", b"one two")) == "one two"


def test_json_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    write_json(path, {"a": [1]}, indent=1)
    assert read_json(path) == {"a": [1]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, [1.0, float("nan")], allow_nan=False)
    assert read_json(path) == {"a": [1]}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"{", b"\x89PNG", b"[" * 100_000])
def test_what_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.json", content)
    with pytest.raises(_OwnError, match=r"a\.json: not valid JSON \(.*\); do this") as caught:
        read_json(path, advice="do this", refused=_OwnError)
    assert "\n" not in str(caught.value)


def test_another_value_is_told(tmp_path: Path) -> None:
    with pytest.raises(TextFileError, match=r"a\.json: expected an object in this JSON file, found \[1, 2\]; write it"):
        read_json(write(tmp_path / "a.json", b"[1, 2]"), dict)
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


def test_yaml_builds_plain_values_alone(tmp_path: Path) -> None:
    attack = b"a: !!python/object/apply:os.mkdir [%s]" % str(tmp_path / "attacked").encode()
    for content in (attack, b"a: [", b"\x80\x04"):
        with pytest.raises(TextFileError, match=r"a\.yaml: not valid YAML") as caught:
            read_yaml(write(tmp_path / "a.yaml", content), "correct it")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "attacked").exists()


def test_text_and_short_forms(tmp_path: Path) -> None:
    with pytest.raises(TextFileError, match=r"a\.txt: not a text file"):
        read_text(write(tmp_path / "a.txt", b"\xff\xfe"))
    assert one_line(ValueError("a\n  b")) == "a b"
    assert shorten({"a": 1}) == "{'a': 1}"
    assert shorten("x" * 100, 5) == "'xxxx..."


def test_what_a_few_lines_of_yaml_stand_for_is_never_written_out() -> None:
    bomb: list = ["x"] * 9
    for _ in range(40):
        bomb = [bomb] * 9
    assert shorten(bomb).startswith("[[[[...], [...], [...], ")
    assert shorten(10**5000) == "a huge int"


@pytest.mark.parametrize("name", ["", ".", "..", "../../a", "/a", "a\\b", "a\0b", 5, None])
def test_names_that_lead_out_of_a_folder_are_refused(name: object) -> None:
    with pytest.raises(InputError, match=r"scene\.json: .* can't be part of a file's name"):
        file_part(name, "scene.json")
    assert file_part("scene-0103 [day].x", "scene.json") == "scene-0103 [day].x"
