"""What S5 is trained on: the text of the answer, the place of the keypoint, and whether it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.networks.keypoint_llm import KeypointLlm, Maps, Prompts
from training.networks.name_heads import NAMED
from training.networks.position_prompt import Placed
from training.teach.language import KPT
from training.teach.questions import Batch, Question

TEXT = 4.0  # a few of an answer's tokens say all; without it, places drown them
_SPREAD_PX = 3.0  # of the target around the true place
_CALLED = 16  # keypoints of a step that are looked for by their name's stand-in
_HELP = 0.6  # share of the marked questions whose answer the correlation helps: the state alone must find the others


@dataclass(frozen=True)
class Asked:
    """Questions as tensors: prompts and maps of the images that are asked about, truth, and the answers' ids."""

    prompts: Prompts
    maps: Maps
    xy_px: Tensor
    state: Tensor
    answers: list[list[int]]


@dataclass(frozen=True)
class _Seen:
    """A batch through the encoder: maps of N images, features (N, K, WIDTH) of their keypoints, and the truth as tensors."""

    maps: Maps
    reference: Tensor
    xy_px: Tensor
    state: Tensor

    @property
    def flat_xy_px(self) -> Tensor:
        """(N, K, 2)."""
        return self.xy_px.flatten(0, 1)


def losses(network: KeypointLlm, batch: Batch) -> dict[str, Tensor]:
    """The parts of the loss of a batch, each a scalar; their sum is trained on."""
    seen = _seen(network, batch)
    found = {"match": _matching(network, seen), "words": _naming(network, seen, batch)}
    asked = as_tensors(network, seen.maps, seen.reference, seen.flat_xy_px, batch.questions)
    embedded, mask, ids = network.asked(asked.maps, asked.prompts, asked.answers)
    states, logits, _ = network.run(embedded, mask)
    found["text"] = TEXT * text_loss(logits, ids, asked.answers)
    helped = torch.rand(len(ids), device=ids.device) < _HELP
    placed, visible = network.place(answering(network, states, ids), asked.maps, asked.prompts, helped)
    found |= _placing(network, placed, visible, asked.xy_px, asked.state)
    marked = asked.prompts.marked
    unaided, _ = network.unaided(asked.maps.chosen(marked), asked.prompts.reference[marked])
    there = asked.state[marked] > 0
    found["unaided"] = 0.3 * _where(network, unaided, asked.xy_px[marked], there) + 0.3 * _off(
        unaided, asked.xy_px[marked], there
    )
    return found


def seeing_losses(network: KeypointLlm, batch: Batch) -> dict[str, Tensor]:
    """The same without the language model: what is seen is found again, has its name, and is found by its name."""
    seen = _seen(network, batch)
    found = {"match": _matching(network, seen), "words": _naming(network, seen, batch)}
    views = batch.state.shape[1]
    words = torch.from_numpy(batch.words).to(seen.reference.device).repeat_interleave(views, 0)
    image, keypoint = torch.nonzero(seen.state.flatten(0, 1) > 0, as_tuple=True)
    chosen = torch.randperm(len(image), device=image.device)[:_CALLED]
    image, keypoint = image[chosen], keypoint[chosen]
    keys = seen.maps.keys[image]
    state = network.called(one_hot(words[image, keypoint]))
    placed, visible = network.head(state, keys, torch.zeros_like(keys[..., 0]))
    at = seen.flat_xy_px[image, keypoint]
    return found | _placing(network, placed, visible, at, seen.state.flatten(0, 1)[image, keypoint])


def one_hot(words: Tensor) -> Tensor:
    """Place, kind and end by their numbers (M, 3) as shares (M, sum(NAMED)) of the words."""
    return torch.cat([functional.one_hot(words[:, i], count) for i, count in enumerate(NAMED)], 1).float()


def _seen(network: KeypointLlm, batch: Batch) -> _Seen:
    device = network.sharp.device
    images = torch.from_numpy(batch.images).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        maps = network.see(images)
    xy_px, state = torch.from_numpy(batch.xy_px).to(device), torch.from_numpy(batch.state).to(device)
    return _Seen(maps, network.referred(maps, xy_px.flatten(0, 1)), xy_px, state)


def answering(network: KeypointLlm, states: Tensor, ids: Tensor) -> Tensor:
    """Of states (M, L, D) those (M, D) that decode to the position token of ids (M, L)."""
    last = (ids == network.vocabulary.id_of(KPT)).int().argmax(1) - 1
    return states[torch.arange(len(ids), device=ids.device), last]


def as_tensors(network: KeypointLlm, maps: Maps, reference: Tensor, xy_px: Tensor, questions: list[Question]) -> Asked:
    """Questions about images with maps (N, …), reference features (N, K, WIDTH) and their places (N, K, 2)."""
    device = maps.tokens.device
    image = torch.tensor([q.image for q in questions], device=device)
    support = torch.tensor([q.support for q in questions], device=device)
    keypoint = torch.tensor([q.keypoint for q in questions], device=device)
    marked = support >= 0
    point = reference[support.clamp_min(0), keypoint.clamp_min(0)] * marked[:, None]
    vocabulary = network.vocabulary
    hints = network.hints(maps, reference, xy_px)[support.clamp_min(0), keypoint.clamp_min(0)]
    hints = torch.where(marked[:, None], hints, network.part_hints(maps)[image])
    prompts = Prompts([vocabulary.encode(q.prompt) for q in questions], point, marked, hints)
    return Asked(
        prompts,
        maps.chosen(image),
        torch.tensor([q.xy_px for q in questions], device=device),
        torch.tensor([q.state for q in questions], device=device),
        [vocabulary.encode(q.reply) for q in questions],
    )


def _matching(network: KeypointLlm, batch: _Seen) -> Tensor:
    """Every keypoint of every view is looked for in all other views of its family by correlation alone."""
    state, reference = batch.state, batch.reference
    families, views, keypoints = state.shape
    query = functional.normalize(reference, dim=-1).reshape(families, views, keypoints, -1)
    keys = functional.normalize(batch.maps.fine.flatten(2), dim=1).reshape(families, views, reference.shape[2], -1)
    logits = torch.einsum("fakc,fbch->fabkh", query, keys) * network.sharp.exp()
    target = aimed(network, batch.xy_px.flatten(0, 2)).reshape(families, views, keypoints, -1)
    seen = state == 2
    both = (seen[:, :, None] & seen[:, None]).float()
    both = both * (1.0 - torch.eye(views, device=both.device))[None, :, :, None]
    cost = -(target[:, None] * logits.log_softmax(-1)).sum(-1)
    mean: Tensor = (cost * both).sum() / both.sum().clamp_min(1.0)
    return mean


def _naming(network: KeypointLlm, seen: _Seen, batch: Batch) -> Tensor:
    """Marked points tell place, kind and end, images the part: what is to be put in words is seen first."""
    device = seen.reference.device
    views = batch.state.shape[1]
    visible = seen.state.flatten(0, 1) == 2
    words = torch.from_numpy(batch.words).to(device).repeat_interleave(views, 0).masked_fill(~visible[..., None], -1)
    name, part = network.named(seen.maps, seen.reference, seen.flat_xy_px)
    cost = functional.cross_entropy(part, torch.from_numpy(batch.parts).to(device).repeat_interleave(views, 0))
    for column, logits in enumerate(torch.split_with_sizes(name, NAMED, dim=2)):
        cost = cost + functional.cross_entropy(logits.flatten(0, 1), words[..., column].flatten(), ignore_index=-1)
    return cost


def aimed(network: KeypointLlm, xy_px: Tensor) -> Tensor:
    """Targets (M, H·W) that add up to one: a bell around each true place (M, 2)."""
    away = (network.head.centres_px - xy_px[:, None]).square().sum(2)
    return (-away / (2 * _SPREAD_PX**2)).softmax(1)


def text_loss(logits: Tensor, ids: Tensor, answers: list[list[int]]) -> Tensor:
    """Mean negative logarithm of the likelihood of the answers' tokens."""
    longest = max(map(len, answers))
    width = ids.shape[1]
    lengths = torch.tensor([len(answer) for answer in answers], device=ids.device)
    columns = torch.arange(width - longest, width, device=ids.device)
    counted = torch.arange(longest, device=ids.device) < lengths[:, None]
    guess, truth = logits[:, columns - 1], ids[:, columns].masked_fill(~counted, -100)
    return functional.cross_entropy(guess.flatten(0, 1), truth.flatten(), ignore_index=-100)


def _placing(network: KeypointLlm, placed: Placed, seen: Tensor, xy_px: Tensor, state: Tensor) -> dict[str, Tensor]:
    there = state > 0
    return {
        "where": _where(network, placed, xy_px, there),
        "offset": _off(placed, xy_px, there),
        "seen": 0.5 * functional.binary_cross_entropy_with_logits(seen, (state == 2).float()),
    }


def _where(network: KeypointLlm, placed: Placed, xy_px: Tensor, there: Tensor) -> Tensor:
    cost = -(aimed(network, xy_px) * placed.logits.log_softmax(1)).sum(1)
    return (cost * there).sum() / there.sum().clamp_min(1)


def _off(placed: Placed, xy_px: Tensor, there: Tensor) -> Tensor:
    """Distance in cells of 4 px, the far ones counted less: the map must find those first."""
    off = functional.smooth_l1_loss(placed.xy_px, xy_px, reduction="none").sum(1).clamp_max(24.0) / 4.0
    return 0.3 * (off * there).sum() / there.sum().clamp_min(1)
