"""Text, JSON and YAML files: whatever is wrong with one is told in a line that names it, and JSON is written whole."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from bev.datasets.atomic import atomic_write
from bev.errors import InputError

_SHORT = reprlib.Repr()  # a few lines of YAML or JSON may stand for lists that fill the memory when written out
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 3, 200, 200, 200

_KINDS = {dict: "an object", list: "a list"}  # what JSON calls them


class TextFileError(InputError):
    """A file that can't be read as what it should be; the message names it and says what to do."""


def read_text(path: str | os.PathLike, refused: type[Exception] = TextFileError) -> str:
    """What a UTF-8 text file holds.

    Args:
        path: The file.
        refused: Class of the error if it is something else.

    Raises:
        refused: It is no UTF-8 text.
        OSError: It can't be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise refused(f"{path}: not a text file ({error})") from error


def read_json(
    path: str | os.PathLike,
    kind: type[dict] | type[list] | None = None,
    advice: str = "write it again",
    refused: type[Exception] = TextFileError,
) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        kind: What its value must be; None takes any.
        advice: What the message says to do.
        refused: Class of the error if the content is wrong.

    Raises:
        refused: It is no JSON, or its value is of another kind.
        OSError: It can't be read.
    """
    content = _parse(path, json.loads, "JSON", advice, refused)
    if kind is not None and not isinstance(content, kind):
        raise refused(f"{path}: expected {_KINDS[kind]} in this JSON file, found {shorten(content)}; {advice}")
    return content


def read_yaml(path: str | os.PathLike, advice: str, refused: type[Exception] = TextFileError) -> Any:
    """What a YAML file holds, plain values alone; see `read_json`."""
    return _parse(path, yaml.safe_load, "YAML", advice, refused)


def write_json(path: str | os.PathLike, content: Any, **options: Any) -> None:
    """Writes a JSON file as a whole or not at all.

    Args:
        path: The file.
        content: Its value.
        **options: Those of `json.dump`, such as `indent`.
    """
    with atomic_write(path, "w") as file:
        json.dump(content, file, **options)


def _parse(
    path: str | os.PathLike, parse: Callable[[str], Any], name: str, advice: str, refused: type[Exception]
) -> Any:
    try:
        return parse(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise refused(f"{path}: not valid {name} ({one_line(error)}); {advice}") from error


def file_part(name: object, where: str | os.PathLike) -> str:
    """A name from a table or an index, fit to be part of a path: a stranger's must not lead out of the folder.

    Args:
        name: The name.
        where: What the message says that it comes from, or what was to be made with it.

    Raises:
        InputError: It is no name of one file.
    """
    text = name if isinstance(name, str) else ""
    if text in ("", ".", "..") or not {"/", "\\", "\0"}.isdisjoint(text):
        raise InputError(f"{where}: {shorten(name)} can't be part of a file's name; give it one without / and \\")
    return text


def one_line(error: object) -> str:
    """A message without its line breaks."""
    return " ".join(str(error).split())


def shorten(value: object, length: int = 60) -> str:
    """A value as it is written in Python, cut to a number of characters; of large ones no more is looked at."""
    try:
        text = _SHORT.repr(value)
    except ValueError:
        text = f"a huge {type(value).__name__}"  # an integer of thousands of digits, which Python doesn't write
    return text if len(text) <= length else f"{text[:length]}..."
