"""A keypoint language model as a folder: what was trained here, the LoRA adapter, and the models that it stands on."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import nn

from pipeline.errors import NetworkError
from training.disk import writing
from training.keypoint_words.grammar import ENDS, KINDS, PLACES
from training.keypoint_words.grammar import vocabulary as grammar_words
from training.keypoint_words.part_shapes import parts
from training.networks.keypoint_llm import KeypointLlm
from training.networks.teach_encoder import BackboneEncoder, TeachEncoder
from training.teach.language import extended, load_language
from training.teach.quiet import quiet

_CARD = "teach.json"
_APART = 0.3  # of an added word from the mean of its pieces, in the spread of words
_MOST_COPIED = 500_000_000  # bytes of a language model that is copied into the folder; larger ones are named
_NEXT = "datumd train --method teach --llm DIR --out MODEL"


class TeachCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is made of.

    Attributes:
        side: px of an image.
        lora_rank: of the modules trained in the language model.
        language, vision: what they are, in words, for whoever reads a figure.
        language_folder: where the language model lies, if it was too large to be copied.
        steps, minutes: of training.
        words: that were added to the vocabulary where it is small.
    """

    format: int
    side: int
    lora_rank: int
    language: str
    vision: str
    language_folder: str
    steps: int
    minutes: float
    words: tuple[str, ...]


@dataclass(frozen=True)
class Built:
    """A network, the language model without its adapter (for saving), and what they are."""

    network: KeypointLlm
    card: TeachCard
    tokenizer: Any


def build(llm: Path, vision: Path | None, *, side: int, lora_rank: int, seed: int) -> Built:
    """A new network on a language model, and on a vision backbone or an encoder that is trained from nothing.

    Raises:
        NetworkError: a folder cannot be used.
    """
    torch.manual_seed(seed)
    language, tokenizer = load_language(llm)
    encoder = TeachEncoder(side) if vision is None else BackboneEncoder(load_backbone(vision), side)
    card = TeachCard(
        1,
        side,
        lora_rank,
        _described(language, llm),
        "own encoder, trained from nothing" if vision is None else _described(encoder.backbone, vision),
        str(llm.resolve()),
        0,
        0.0,
        grammar_words(parts()),
    )
    return _assembled(language, tokenizer, encoder, card, llm)


def _assembled(language: Any, tokenizer: Any, encoder: nn.Module, card: TeachCard, where: Path) -> Built:  # noqa: ANN401
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - slow to import

    plain = copy.deepcopy(tokenizer)
    vocabulary = extended(language, tokenizer, card.words)
    lora = LoraConfig(
        r=card.lora_rank, lora_alpha=2 * card.lora_rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    try:
        with quiet():
            wrapped = get_peft_model(language, lora)
    except ValueError as problem:
        raise NetworkError(f"takes no LoRA modules: {str(problem).splitlines()[0]}", where=str(where)) from None
    network = KeypointLlm(encoder, wrapped, vocabulary, card.side)
    _spelled(network, language, plain)
    _hinted(network)
    return Built(network, card, plain)


@torch.no_grad()
def _spelled(network: KeypointLlm, language: Any, plain: Any) -> None:  # noqa: ANN401
    """Added words begin as the mean of the pieces that spelled them, on the way in and on the way out."""
    table, out = language.get_input_embeddings().weight, language.get_output_embeddings().weight
    for row, word in enumerate(network.vocabulary.added):
        pieces = plain.encode(word, add_special_tokens=False)
        if "<" not in word and pieces:
            network.words_in.weight[row].mul_(_APART).add_(table[pieces].mean(0))
            network.words_out.weight[row].mul_(_APART).add_(out[pieces].mean(0))


@torch.no_grad()
def _hinted(network: KeypointLlm) -> None:
    """Soft words come in as the embeddings of their words; no end as none."""
    texts = list(PLACES), list(KINDS), ["", *ENDS], list(parts())
    for table, words in zip(network.hints_in, texts, strict=True):
        weight = table.get_parameter("weight")
        weight.zero_()
        for column, word in enumerate(words):
            if word:
                ids = torch.tensor(network.vocabulary.encode(f" {word}"))
                weight[:, column] = network.embedded(ids[None])[0].mean(0)


def save(built: Built, folder: Path, steps: int, minutes: float) -> TeachCard:
    """Write a folder that `load` reads.

    Raises:
        DataError: it cannot be written.
    """
    network = built.network
    with writing(folder, "the same command with --resume"), quiet():
        folder.mkdir(parents=True, exist_ok=True)
        language: Any = network.language
        language.save_pretrained(folder / "adapter", save_embedding_layers=False)
        own = {n: t.contiguous() for n, t in network.trained().items() if not n.startswith("language.")}
        from safetensors.torch import save_file  # noqa: PLC0415

        save_file(own, folder / "trained.safetensors")
        size = sum(weight.numel() * weight.element_size() for weight in language.parameters())
        kept = ""
        if size > _MOST_COPIED:
            kept = built.card.language_folder
        else:
            plain = copy.deepcopy(language).unload()
            plain.save_pretrained(folder / "llm")
            built.tokenizer.save_pretrained(folder / "llm")
        if isinstance(network.encoder, BackboneEncoder):
            network.encoder.backbone.save_pretrained(folder / "vision")
        card = msgspec.structs.replace(built.card, steps=steps, minutes=round(minutes, 1), language_folder=kept)
        (folder / _CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card)) + b"\n")
    return card


def load(folder: Path) -> Built:
    """Read a folder that `save` wrote; the network is on the CPU and in evaluation mode.

    Raises:
        NetworkError: it is not one, or what it stands on is no longer there.
    """
    path = folder / _CARD
    if not path.is_file():
        raise NetworkError(
            f"holds no {_CARD}: it is no model of the method teach", where=str(folder), next_command=_NEXT
        )
    try:
        card = msgspec.json.decode(path.read_bytes(), type=TeachCard)
    except msgspec.MsgspecError as problem:
        raise NetworkError(f"cannot be read: {problem}", where=str(path), next_command=_NEXT) from None
    language, tokenizer = load_language(Path(card.language_folder) if card.language_folder else folder / "llm")
    vision = folder / "vision"
    encoder = BackboneEncoder(load_backbone(vision), card.side) if vision.is_dir() else TeachEncoder(card.side)
    built = _assembled(language, tokenizer, encoder, card, folder)
    _restore(built.network, folder)
    built.network.eval()
    return built


def _restore(network: KeypointLlm, folder: Path) -> None:
    from peft import set_peft_model_state_dict  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    try:
        own = load_file(folder / "trained.safetensors")
        adapter = load_file(folder / "adapter" / "adapter_model.safetensors")
        missing = {n for n in network.trained() if not n.startswith("language.")} - set(own)
        if missing:
            raise NetworkError(f"lacks {sorted(missing)[0]}", where=str(folder), next_command=_NEXT)
        network.load_state_dict(own, strict=False)
        with quiet():
            set_peft_model_state_dict(network.language, adapter)
    except (OSError, SafetensorError, RuntimeError) as problem:
        said = str(problem).splitlines()[0]
        raise NetworkError(f"cannot be read: {said}", where=str(folder), next_command=_NEXT) from None


def load_backbone(folder: Path) -> Any:  # noqa: ANN401 - transformers has no type for all of them
    """A vision backbone of a local folder, with maps of its second and last stage. Nothing is downloaded.

    Raises:
        NetworkError: there is none that transformers can use as a backbone.
    """
    hint = (
        "give --vision a folder of a model that transformers.AutoBackbone knows (ResNet, ConvNeXt, Swin, DINOv2, ...)"
    )
    if not (folder / "config.json").is_file():
        raise NetworkError("holds no config.json", where=str(folder), next_command=hint)
    from transformers import AutoConfig  # noqa: PLC0415
    from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING  # noqa: PLC0415 - AutoBackbone asks the net

    try:
        with quiet():
            config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
            names = list(config.stage_names)
            out = [names[max(1, len(names) // 2 - 1)], names[-1]]
            kind: Any = MODEL_FOR_BACKBONE_MAPPING[type(config)]
            return kind.from_pretrained(folder, out_features=out, local_files_only=True).float()
    except (ImportError, OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as problem:
        said = str(problem).strip().splitlines() or [type(problem).__name__]
        raise NetworkError(
            f"cannot be read as a vision backbone: {said[0]}", where=str(folder), next_command=hint
        ) from None


def _described(model: Any, folder: Path) -> str:  # noqa: ANN401
    """Such as "llama of 0.3 M parameters from stories260k"."""
    count = sum(weight.numel() for weight in model.parameters())
    return f"{model.config.model_type} of {count / 1e6:.1f} M parameters from {folder.resolve().name}"
