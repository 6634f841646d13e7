"""Reading and writing index files: pickles of plain Python values and numpy arrays in mmdet3d's v2 layout.

An index is `{"metainfo": {...}, "data_list": [one dict per sample]}`. Ours carry `schema_version` and `box_convention`,
so a file that means something else is refused instead of being misread. Files are unpickled with an allow-list: one
from a stranger cannot run code.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

from bev.datasets.atomic import atomic_write
from bev.datasets.plain_arrays import ArrayGuard
from bev.datasets.text_files import one_line
from bev.errors import InputError

SCHEMA_VERSION = "bev-1"
BOX_CONVENTION = "mmdet3d>=1.0"
CONVERTER = "tools/create_data.py"

Entry = TypeVar("Entry")
Built = TypeVar("Built")

_MALFORMED = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What comes of values that are of other types and shapes than those of an index."""

_BUILTINS = frozenset(
    {
        "bool",
        "bytearray",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "set",
        "slice",
        "str",
        "tuple",
    }
)
# Where numpy's own pickles look for their parts: numpy 1 (core) and numpy 2 (_core).
_NUMPY = frozenset(
    {
        "numpy",
        "numpy.core.multiarray",
        "numpy._core.multiarray",
        "numpy.core.numeric",
        "numpy._core.numeric",
    }
)


class IndexFormatError(InputError):
    """A file that is not an index of the expected schema; the message says what it is and how to make a right one."""


class _PlainUnpickler(pickle.Unpickler):
    """Builds builtins and numpy arrays; anything else is refused by name."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._arrays = ArrayGuard()

    def find_class(self, module: str, name: str) -> Any:
        if module in _NUMPY and name in self._arrays.parts:
            return self._arrays.parts[name]
        plain = module in ("builtins", "__builtin__") and name in _BUILTINS  # the second is Python 2's, of protocol 2
        # Protocol 2, which mmengine writes, spells bytes as a call of _codecs.encode; OrderedDict is a plain container.
        container = (module, name) in {("_codecs", "encode"), ("collections", "OrderedDict")}
        if plain or container:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}, but may hold plain values and numpy arrays only")

    def load(self) -> Any:
        content = super().load()
        self._arrays.check()
        return content


def write_index(path: str | os.PathLike, metainfo: dict, data_list: list[dict]) -> None:
    """Writes an index atomically, stamped with this version's schema and box convention.

    Args:
        path: file to write, usually `<data root>/nuscenes_infos_<split>.pkl`.
        metainfo: what the index is of: dataset, version, split, categories.
        data_list: one dict per sample.

    Raises:
        OSError: it could not be written; the old file, if any, is untouched.
    """
    stamped = {**metainfo, "schema_version": SCHEMA_VERSION, "box_convention": BOX_CONVENTION}
    with atomic_write(path) as file:
        pickle.dump({"metainfo": stamped, "data_list": data_list}, file, protocol=4)


def read_index(path: str | os.PathLike) -> dict:
    """Reads one of our indexes, or a nuScenes info file as mmdet3d >= 1.1 writes it.

    A file of mmdet3d comes back in our schema as far as it reaches: its image paths get their folders, each camera its
    ego pose and image size, but `scene_token`, `prev` and `next` are None, for mmdet3d does not store them.

    Returns:
        {"metainfo": dict, "data_list": list of dicts}.

    Raises:
        FileNotFoundError: there is no such file.
        IndexFormatError: not a pickle of plain values, another schema or dataset, or boxes of the legacy convention.
    """
    content = read_plain_pickle(path)
    _check_layout(path, content)
    metainfo = content["metainfo"]
    if "schema_version" not in metainfo:
        return _adopt_mmdet3d_infos(path, content)
    if metainfo["schema_version"] != SCHEMA_VERSION:
        raise IndexFormatError(
            f"{path}: its schema is {metainfo['schema_version']!r}, this version reads {SCHEMA_VERSION!r}; "
            f"build it again with {CONVERTER}"
        )
    if metainfo.get("box_convention") != BOX_CONVENTION:
        raise IndexFormatError(
            f"{path}: its boxes follow {metainfo.get('box_convention')!r}, this version reads {BOX_CONVENTION!r}; "
            f"build it again with {CONVERTER}, or convert the boxes with bev.geometry.legacy_to_current"
        )
    return content


def read_samples(path: str | os.PathLike, *fields: str) -> dict:
    """Reads an index whose entries are samples: not segments, as Waymo's are.

    Args:
        path: the file.
        fields: what each sample must have beside its token.

    Returns:
        See `read_index`.

    Raises:
        FileNotFoundError: there is no such file.
        IndexFormatError: see `read_index`; or there are no samples, or one lacks a field.
    """
    content = read_index(path)
    if not content["data_list"]:
        raise IndexFormatError(f"{path}: the index has no samples")
    for number, record in enumerate(content["data_list"]):
        missing = [name for name in ("token", *fields) if not isinstance(record, dict) or name not in record]
        missing += [] if missing or isinstance(record["token"], str) else ["token that is a text"]
        if missing:
            raise IndexFormatError(
                f"{path}: an index of {content['metainfo'].get('dataset')!r} whose entry {number} is no sample, for it "
                f"has no {', '.join(missing)}; give an index of samples, which {CONVERTER} makes"
            )
    return content


@contextmanager
def well_formed(
    where: str, refused: type[InputError] = IndexFormatError, advice: str = f"build it again with {CONVERTER}"
) -> Iterator[None]:
    """Inside this block, what goes wrong with values of other types and shapes than a file has is told as such.

    Args:
        where: the file, and what is known of the place in it.
        refused: class of the error.
        advice: what the message says to do.

    Raises:
        refused: instead of such an error.
    """
    try:
        yield
    except InputError:
        raise
    except _MALFORMED as error:
        told = f"{type(error).__name__}: {one_line(error)[:200]}"
        raise refused(f"{where}: not what belongs there ({told}); {advice}") from error


def of_entries(
    path: str | os.PathLike, entries: Sequence[Entry], build: Callable[[Sequence[Entry]], Built], *told: Any
) -> Built:
    """What `build` makes of the entries of a file; if it fails, of each alone, to name the one that is wrong.

    Args:
        path: the file.
        entries: its entries, named by their tokens where they have one.
        build: makes something of all of them or of some.
        *told: further arguments of `well_formed`.

    Raises:
        IndexFormatError: an entry holds values of other types and shapes than it should.
    """
    try:
        return build(entries)
    except InputError:
        raise
    except _MALFORMED:
        for number, entry in enumerate(entries):
            token = entry.get("token") if isinstance(entry, Mapping) else None
            with well_formed(f"{path}, {f'token {token}' if isinstance(token, str) else f'entry {number}'}", *told):
                build([entry])
        with well_formed(f"{path}, entries that don't go together", *told):
            raise


def read_plain_pickle(path: str | os.PathLike, kind: str = "index", maker: str = CONVERTER) -> Any:
    """Unpickles a file that may hold builtins and numpy arrays only.

    Args:
        path: the file.
        kind: what messages call it.
        maker: what messages say that makes it.

    Raises:
        FileNotFoundError: there is no such file.
        IndexFormatError: it is no pickle, is truncated, or asks for any other class.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"{kind} {path} does not exist; make it with {maker}")
    try:
        with Path(path).open("rb") as file:
            return _PlainUnpickler(file).load()
    except OSError:
        raise
    except Exception as error:  # damaged bytes may fail anywhere in the unpickler
        raise IndexFormatError(
            f"{path}: not a readable {kind} ({one_line(error)}); build it again with {maker}"
        ) from error


def _check_layout(path: str | os.PathLike, content: Any) -> None:
    if isinstance(content, dict) and "infos" in content:
        raise IndexFormatError(
            f"{path}: an info file of mmdet3d < 1.1 (key 'infos'), whose boxes may follow either convention; "
            f"build a new index from the tables with {CONVERTER}"
        )
    well_formed = isinstance(content, dict) and isinstance(content.get("metainfo"), dict)
    if not well_formed or not isinstance(content.get("data_list"), list):
        raise IndexFormatError(
            f"{path}: not an index (expected the keys 'metainfo' and 'data_list'); build it with {CONVERTER}"
        )


def _adopt_mmdet3d_infos(path: str | os.PathLike, content: dict) -> dict:
    if content["metainfo"].get("dataset") != "nuscenes":
        raise IndexFormatError(
            f"{path}: no schema version, and not mmdet3d's nuScenes infos either "
            f"(dataset: {content['metainfo'].get('dataset')!r}); build it with {CONVERTER}"
        )
    # Only nuScenes has infos of mmdet3d that we take; its module imports this one.
    from bev.datasets.nuscenes.index_mmdet3d import adopt_infos

    try:
        return adopt_infos(content)
    except (KeyError, TypeError, ValueError) as error:
        raise IndexFormatError(
            f"{path}: mmdet3d infos without what a camera index needs ({type(error).__name__}: {error}); "
            f"build an index from the tables with {CONVERTER}"
        ) from error
