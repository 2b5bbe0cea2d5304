"""Learning to speak without looking: names in words and words in names, with noise where features come in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.keypoint_words.grammar import ENDS, KINDS, PLACES, KeypointName, answer, described, instruction
from training.keypoint_words.part_shapes import parts as parts_of_all
from training.networks.keypoint_llm import KeypointLlm, Prompts
from training.networks.name_heads import HINTS, NAMED, hinted
from training.networks.teach_encoder import COARSE, WIDTH
from training.teach.losses import TEXT, answering, one_hot, text_loss
from training.teach.teach_method import TeachMethod

Random = np.random.Generator
_PLACES, _KINDS, _ENDS, _PARTS = list(PLACES), list(KINDS), ["", *ENDS], parts_of_all()
_SURE = 2.0, 10.0  # logits of the right word over the others, whose own deviate by 1
_BOTH = (("left", "right"), ("upper", "lower"))


@dataclass(frozen=True)
class Talk:
    """Questions that no image belongs to.

    Attributes:
        prompts, replies: texts.
        words: (M, 3) int64, place, kind and end by their numbers in the grammar.
        parts: (M,) int64, words for parts by their numbers.
        marked: (M,) bool; the others ask in words.
    """

    prompts: list[str]
    replies: list[str]
    words: NDArray[np.int64]
    parts: NDArray[np.int64]
    marked: NDArray[np.bool_]


def talk(method: TeachMethod, seed: tuple[int, ...]) -> Talk:
    """Questions of a seed, half of them in words."""
    rng = np.random.default_rng(seed)
    names = [_name(rng) for _ in range(method.queries)]
    parts = rng.integers(len(_PARTS), size=len(names))
    marked = rng.random(len(names)) < 0.5
    prompts = [
        instruction("" if point else described(rng, name)) for name, point in zip(names, marked.tolist(), strict=True)
    ]
    replies = [answer(_PARTS[part], str(name)) for name, part in zip(names, parts, strict=True)]
    words = np.array([(_PLACES.index(n.place), _KINDS.index(n.kind), _ENDS.index(n.end)) for n in names])
    return Talk(prompts, replies, words, parts, marked)


def _name(rng: Random) -> KeypointName:
    kind = _KINDS[rng.integers(len(_KINDS))]
    end = str(rng.choice(_BOTH[rng.integers(2)])) if kind == "slot" else ""
    return KeypointName(_PLACES[rng.integers(len(_PLACES))], kind, end)


def speaking_losses(network: KeypointLlm, asked: Talk) -> dict[str, Tensor]:
    """The answer's text, and that the state of the position token comes to mean the name: vision's stand-in for it."""
    device = network.sharp.device
    words, marked = torch.from_numpy(asked.words).to(device), torch.from_numpy(asked.marked).to(device)
    vocabulary, count = network.vocabulary, len(words)
    width = network.words_in.embedding_dim
    reference = torch.randn(count, WIDTH, device=device) * marked[:, None]
    named = one_hot(words)
    ids = [vocabulary.encode(prompt) for prompt in asked.prompts]
    prompts = Prompts(ids, reference, marked, _hints(named, torch.from_numpy(asked.parts).to(device), marked))
    image = torch.randn(count, (network.side // COARSE // 2) ** 2, width, device=device) * network.scale
    match = torch.randn(count, width, device=device)
    answers = [vocabulary.encode(reply) for reply in asked.replies]
    embedded, mask, rows = network.put(image, match, prompts, answers)
    states, logits, _ = network.run(embedded, mask)
    state, aim = answering(network, states, rows), network.called(named).detach()
    near = functional.mse_loss(functional.layer_norm(state, (width,)), functional.layer_norm(aim, (width,)))
    return {"text": TEXT * text_loss(logits, rows, answers), "meant": near}


def _hints(named: Tensor, parts: Tensor, marked: Tensor) -> Tensor:
    """Words as heads that are more or less sure would tell them."""
    part = functional.one_hot(parts, HINTS[-1]).float()
    low, high = _SURE
    blocks = []
    for block in (*torch.split_with_sizes(named, NAMED, dim=1), part):
        sure = low + (high - low) * torch.rand(len(block), 1, device=block.device)
        blocks.append(block * sure + torch.randn_like(block))
    blocks[:-1] = [block * marked[:, None] for block in blocks[:-1]]
    return hinted(torch.cat(blocks, 1))
