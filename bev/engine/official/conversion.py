"""Official checkpoints to ours and back, with an account of every key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from bev.engine.official import bevformer, internimage, openlane
from bev.engine.official.names import Vocabulary
from bev.errors import InputError

_VOCABULARIES = {
    "bevformer": bevformer.VOCABULARY,
    "bevformerv2": bevformer.VOCABULARY,
    "occupancy": bevformer.VOCABULARY,
    "openlane": openlane.VOCABULARY,
}
FAMILIES = (*_VOCABULARIES, "internimage")


class ConversionError(InputError):
    """A checkpoint that does not belong to the family it is said to."""


@dataclass
class ConversionReport:
    """What became of every key of an official checkpoint.

    Attributes:
        mapped: Official key to ours; the values are the same.
        folded: Official key to how its values were changed on the way into ours.
        ignored: Official key to why it has no place here.
    """

    mapped: dict[str, str] = field(default_factory=dict)
    folded: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.mapped)} keys mapped, {len(self.folded)} folded, {len(self.ignored)} ignored"]
        for title, entries in (("folded", self.folded), ("ignored", self.ignored)):
            reasons: dict[str, list[str]] = {}
            for key, reason in entries.items():
                reasons.setdefault(reason, []).append(key)
            lines += [f"  {title}: {keys[0]}{_more(keys)}: {reason}" for reason, keys in reasons.items()]
        return "\n".join(lines)


def convert_official(
    state_dict: Mapping[str, Tensor], family: str, legacy_boxes: bool = True
) -> tuple[dict[str, Tensor], ConversionReport]:
    """Weights of an official checkpoint under our names and in our conventions.

    Args:
        state_dict: Official keys and tensors, without the prefix of a data-parallel wrapper.
        family: "bevformer" (v1), "bevformerv2", "occupancy" or "openlane" (the CVPR 2023 challenges' baselines), or
            "internimage" (a classifier, a detector of mmdet 2 or a segmentor of mmseg 0).
        legacy_boxes: Whether the model was trained with the boxes of mmdet3d < 1.0, as all published ones were.

    Returns:
        The state dict for a `BEVPerceptor` whose heads are called `detection`, `perspective`, `occupancy` and `lanes`,
        or for a model of mmpretrain, mmdet 3 or mmseg 1, and the report, in which every key of `state_dict` appears
        exactly once.

    Raises:
        ConversionError: If the family is unknown, keys belong to no part of it, or a box branch has another shape.
    """
    vocabulary = _vocabulary(family, state_dict)
    report, own, unknown = ConversionReport(), {}, []
    for key in state_dict:
        reason, name = vocabulary.reason_to_ignore(key), vocabulary.to_own(key)
        if reason is not None:
            report.ignored[key] = reason
        elif name is None:
            unknown.append(key)
        else:
            report.mapped[key] = name
            own[name] = state_dict[key]
    if unknown:
        raise ConversionError(
            f"{len(unknown)} keys are not part of {family}: {', '.join(unknown[:5])}{_more(unknown[4:])}; "
            "check the family, or take them out of the checkpoint if you don't need them"
        )
    _fold(own, report, state_dict, legacy_boxes)
    return own, report


def export_official(state_dict: Mapping[str, Tensor], family: str, legacy_boxes: bool = True) -> dict[str, Tensor]:
    """Our weights under the official names: the inverse of `convert_official`, but for what that ignores.

    Args:
        state_dict: Of a `BEVPerceptor` whose heads are called `detection`, `perspective`, `occupancy` and `lanes`, or
            of an image model.
        family: As for `convert_official`.
        legacy_boxes: Whether the other side expects the boxes of mmdet3d < 1.0, as the official code does.

    Raises:
        ConversionError: If the family is unknown, it has no counterpart of a key, or a box branch has another shape.
    """
    vocabulary = _vocabulary(family, state_dict)
    box_layers = bevformer.last_box_layers(list(state_dict))
    official = {}
    for key, value in state_dict.items():
        name = vocabulary.to_official(key)
        if name is None:
            raise ConversionError(f"{key} has no counterpart in the official {family} models")
        if legacy_boxes and bevformer.is_box_output(key, box_layers):
            value = _exchanged(key, value)
        if name == bevformer.LEVEL_EMBEDS and len(value) < bevformer.OFFICIAL_LEVELS:
            rows = value.new_zeros(bevformer.OFFICIAL_LEVELS, value.shape[1])
            rows[: len(value)] = value
            value = rows
        official[name] = value
    return official


def _exchanged(key: str, value: Tensor) -> Tensor:
    """A weight or bias of a box branch's last layer in the other convention."""
    if value.shape[:1] != bevformer.BOX_ROWS.shape:
        raise ConversionError(
            f"{key} has shape {list(value.shape)}, but a box has {len(bevformer.BOX_ROWS)} rows there; check the family"
        )
    return bevformer.exchange_box_convention(value)


def _fold(own: dict[str, Tensor], report: ConversionReport, official: Mapping[str, Tensor], legacy_boxes: bool) -> None:
    """Change, in place, the values that mean something else in the official code."""
    box_layers = bevformer.last_box_layers(list(own)) if legacy_boxes else frozenset()
    levels = bevformer.num_levels(dict(official))
    for key, name in list(report.mapped.items()):
        if bevformer.is_box_output(name, box_layers):
            own[name] = _exchanged(key, own[name])
            report.folded[key] = "box convention of mmdet3d < 1.0: rows of width and length, and of sine and cosine"
        elif key == bevformer.LEVEL_EMBEDS and len(own[name]) > levels:
            own[name] = own[name][:levels].clone()
            report.folded[key] = f"rows of feature levels that the model never reads left out; {levels} kept"
        else:
            continue
        del report.mapped[key]


def _vocabulary(family: str, keys: Iterable[str]) -> Vocabulary:
    if family not in FAMILIES:
        raise ConversionError(f"unknown family {family!r}; there are {', '.join(FAMILIES)}")
    return internimage.vocabulary(keys) if family == "internimage" else _VOCABULARIES[family]


def _more(keys: list[str]) -> str:
    return f" and {len(keys) - 1} more" if len(keys) > 1 else ""
