"""Language models from local folders, and the vocabulary with the tokens that a keypoint model adds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import NetworkError
from training.teach.quiet import quiet

KPT, REF, MATCH = " <kpt>", " <ref>", " <match>"
HINT_WORDS = " <place>", " <kind>", " <end>", " <part>"  # where soft words of a name come in, in the order of `HINTS`
_SMALL_VOCABULARY = 4096
_NEXT = "give --llm a folder that save_pretrained wrote, or one with a single GGUF file"


@dataclass(frozen=True)
class Vocabulary:
    """Text to ids and back. Added words have the ids from ``size`` on; the model itself never hears of them.

    Attributes:
        tokenizer: of the language model, with the added words.
        size: rows of the model's own embedding.
        added: words, each with the space before it.
    """

    tokenizer: Any
    size: int
    added: tuple[str, ...]

    def encode(self, text: str) -> list[int]:
        """Ids of a text that begins with a space; no token for its begin."""
        first = len(self.tokenizer) - len(self.added)
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        return [token - first + self.size if token >= first else token for token in ids]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of ids."""
        first = len(self.tokenizer) - len(self.added)
        own = [token - self.size + first if token >= self.size else token for token in ids]
        return str(self.tokenizer.decode(own, clean_up_tokenization_spaces=False))

    def id_of(self, word: str) -> int:
        """Id of an added word."""
        return self.size + self.added.index(word)

    @property
    def begin(self) -> list[int]:
        """What a text begins with; models that know no such token begin with nothing."""
        token = self.tokenizer.bos_token_id
        return [] if token is None else [int(token)]


def load_language(folder: Path) -> tuple[Any, Any]:
    """The causal language model of a local folder, and its tokenizer. Nothing is downloaded.

    Args:
        folder: written by ``save_pretrained``, or holding one GGUF file.

    Raises:
        NetworkError: there is no such folder, or no causal language model in it that can be read.
    """
    if not folder.is_dir():
        raise NetworkError("is not a folder", where=str(folder), next_command=_NEXT)
    ggufs = sorted(folder.glob("*.gguf"))
    if not ggufs and not (folder / "config.json").is_file():
        raise NetworkError("holds neither config.json nor a GGUF file", where=str(folder), next_command=_NEXT)
    if len(ggufs) > 1:
        names = ", ".join(path.name for path in ggufs)
        raise NetworkError(f"holds several GGUF files: {names}", where=str(folder), next_command=_NEXT)
    try:
        with quiet():
            return _read_gguf(ggufs[0]) if ggufs else _read_folder(folder)
    except (ImportError, OSError, ValueError, KeyError, IndexError, RuntimeError, TypeError) as problem:
        said = str(problem).strip().splitlines() or [type(problem).__name__]
        raise NetworkError(
            f"cannot be read as a causal language model: {said[0]}", where=str(folder), next_command=_NEXT
        ) from None


def _read_folder(folder: Path, **how: str) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - slow to import

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **how)
    if not tokenizer.encode(" find", add_special_tokens=False):
        raise ValueError("there is no tokenizer beside it")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, **how)
    if "gguf_file" in how:  # its values are plain by now, but it still calls itself quantised and cannot be saved
        config = model.config
        del config.quantization_config
        kind: Any = AutoModelForCausalLM
        plain = kind.from_config(config)
        plain.load_state_dict(model.state_dict())
        return plain.float(), tokenizer
    return model.float(), tokenizer


def _read_gguf(path: Path) -> tuple[Any, Any]:
    """Files of llama.cpp say 2**32 - 1 for "no such token", which transformers takes for an id: mended in a copy."""
    from gguf import GGUFReader  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "model.gguf"
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
        reader = GGUFReader(copy, "r+")
        count = len(reader.fields["tokenizer.ggml.tokens"].data)
        for name, field in reader.fields.items():
            if name.endswith("_token_id") and int(field.parts[-1][0]) >= count:
                field.parts[-1][0] = 0
        del reader
        return _read_folder(Path(scratch), gguf_file=copy.name)


def extended(model: Any, tokenizer: Any, words: Sequence[str]) -> Vocabulary:  # noqa: ANN401 - transformers has no type for all
    """Add the position token and the places of features; where the vocabulary is small, also words that it must spell."""
    from transformers import AddedToken  # noqa: PLC0415

    size = int(model.get_input_embeddings().weight.shape[0])
    added = [KPT, REF, MATCH, *HINT_WORDS]
    if size < _SMALL_VOCABULARY:
        added += [f" {word}" for word in words]
    before = len(tokenizer)
    count = tokenizer.add_tokens([AddedToken(word, normalized=False) for word in added])
    if count != len(added) or len(tokenizer) != before + count:
        raise NetworkError("its tokenizer already has tokens of the keypoint model", allowed="the model as published")
    return Vocabulary(tokenizer, size, tuple(added))
