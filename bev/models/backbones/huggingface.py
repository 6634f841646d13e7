"""InternImage as Hugging Face models: importing this module registers them with transformers' Auto classes.

    >>> import bev.models.backbones.huggingface
    >>> from transformers import AutoModelForImageClassification
    >>> model = AutoModelForImageClassification.from_pretrained("folder with config.json and model.safetensors")

Entries of config.json and names of weights are those of the published models (OpenGVLab/internimage_t_1k_224 and its
siblings), whose folders load without their own code.

Shapes: B images, K classes, C_s channels of stage s, whose stride is 4 * 2**s, D channels of the pooled feature.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    PretrainedConfig,
    PreTrainedModel,
    initialization,
)
from transformers.modeling_outputs import BaseModelOutputWithPoolingAndNoAttention, ImageClassifierOutputWithNoAttention

from bev.compat.device_contexts import settle_device_contexts
from bev.models.backbones.internimage import InternImage, architecture
from bev.models.backbones.internimage.settings import MODEL_TYPE, from_settings, to_settings

settle_device_contexts()


class InternImageConfig(PretrainedConfig):
    """Content of a config.json.

    Without arguments it describes InternImage-T with 1000 classes.
    """

    model_type: ClassVar[str] = MODEL_TYPE

    def __init__(self, num_classes: int = 1000, with_cp: bool = False, **settings: Any) -> None:
        """Take the published entries; see `bev.models.backbones.internimage.settings`.

        Args:
            num_classes: K.
            with_cp: Gradient checkpointing.
            **settings: `channels`, `depths`, `groups` and so on.
        """
        entries = to_settings(architecture("t", classifier=True), num_classes)
        entries.pop("model_type")
        entries.pop("num_classes")
        others: dict[str, Any] = {key: value for key, value in settings.items() if key not in entries}
        if not {"id2label", "num_labels"} & set(others):
            others["num_labels"] = num_classes
        super().__init__(**others)
        self.num_classes = num_classes
        self.with_cp = with_cp
        for name, default in entries.items():
            setattr(self, name, settings.get(name, default))

    @classmethod
    def of_variant(cls, variant: str, num_classes: int = 1000, **overrides: Any) -> InternImageConfig:
        """Config of a published classifier.

        Args:
            variant: One of t, s, b, l, xl, h, g.
            num_classes: K.
            **overrides: Fields of `Architecture`.
        """
        entries = to_settings(architecture(variant, classifier=True, **overrides), num_classes)
        entries.pop("model_type")
        return cls(**entries)


class InternImagePreTrainedModel(PreTrainedModel):
    """What both models share."""

    config_class = InternImageConfig
    base_model_prefix = ""
    main_input_name = "pixel_values"
    _no_split_modules = ["Block"]  # noqa: RUF012 (declared so by the base class)

    def _build(self, **settings: Any) -> InternImage:
        fields = from_settings({**self.config.to_dict(), "model_type": MODEL_TYPE})
        return InternImage("t", with_cp=self.config.with_cp, **settings, **fields)

    def init_weights(self) -> None:
        """Nothing: an InternImage is initialised as it is built."""

    def _init_weights(self, module: nn.Module) -> None:
        """Give parameters that a file lacks the values of a newly built model; `copy_` leaves out what was read."""
        name = next(name for name, part in self.named_modules() if part is module)
        new = type(self)(self.config).get_submodule(name)
        fresh = {**dict(new.named_parameters(recurse=False)), **dict(new.named_buffers(recurse=False))}
        for key, value in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            initialization.copy_(value, fresh[key])


class InternImageModel(InternImagePreTrainedModel):
    """Feature extractor: the maps of all stages."""

    # A classifier's file serves, too.
    _keys_to_ignore_on_load_unexpected = [  # noqa: RUF012 (declared so by the base class)
        r"^model\.(conv_head|head|dcnv3_head_x3|dcnv3_head_x4|clip_projector|fc_norm)\."
    ]

    def __init__(self, config: InternImageConfig) -> None:
        super().__init__(config)
        self.model = self._build()
        self.post_init()

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool | None = None, return_dict: bool | None = None
    ) -> BaseModelOutputWithPoolingAndNoAttention | tuple:
        """Run the model.

        Args:
            pixel_values: Normalised images (B, 3, H, W).
            output_hidden_states: Return the maps of all stages as `hidden_states`.
            return_dict: Return a tuple instead, if False.

        Returns:
            `last_hidden_state` (B, C_3, H / 32, W / 32) and `pooler_output` (B, C_3), its mean.
        """
        maps = self.model(pixel_values)
        hidden = maps if output_hidden_states else None
        output = BaseModelOutputWithPoolingAndNoAttention(maps[-1], maps[-1].mean((2, 3)), hidden)
        return output.to_tuple() if return_dict is False else output


class InternImageModelForImageClassification(InternImagePreTrainedModel):
    """Classifier."""

    def __init__(self, config: InternImageConfig) -> None:
        super().__init__(config)
        self.model = self._build(num_classes=config.num_classes)
        self.post_init()

    def forward(
        self,
        pixel_values: Tensor,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> ImageClassifierOutputWithNoAttention | tuple:
        """Run the model.

        Args:
            pixel_values: Normalised images (B, 3, H, W).
            labels: Class of each image (B,), for the loss.
            output_hidden_states: Return the maps of all stages (B, C_s, H, W) as `hidden_states`.
            return_dict: Return a tuple instead, if False.

        Returns:
            `logits` (B, K), and `loss`, the cross-entropy, if there are labels.
        """
        maps = self.model.forward_stages(pixel_values)
        logits = self.model.head(self.model.pool(maps))
        loss = None if labels is None else F.cross_entropy(logits, labels)
        hidden = tuple(value.permute(0, 3, 1, 2) for value in maps) if output_hidden_states else None
        output = ImageClassifierOutputWithNoAttention(loss, logits, hidden)
        return output.to_tuple() if return_dict is False else output


AutoConfig.register(MODEL_TYPE, InternImageConfig, exist_ok=True)
AutoModel.register(InternImageConfig, InternImageModel, exist_ok=True)
AutoModelForImageClassification.register(InternImageConfig, InternImageModelForImageClassification, exist_ok=True)
