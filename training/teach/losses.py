"""What S5 is trained on: the text of the answer, the place of the keypoint, and whether it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.networks.keypoint_llm import NAMED, KeypointLlm, Maps, Prompts
from training.networks.position_prompt import Placed
from training.teach.language import KPT
from training.teach.questions import Batch, Question

_TEXT = 4.0  # a few of an answer's tokens say all; without it, places drown them
_SPREAD_PX = 3.0  # of the target around the true place
_HELP = 0.6  # share of the marked questions whose answer the correlation helps: the state alone must find the others


@dataclass(frozen=True)
class Asked:
    """Questions as tensors: prompts and maps of the images that are asked about, truth, and the answers' ids."""

    prompts: Prompts
    maps: Maps
    xy_px: Tensor
    state: Tensor
    answers: list[list[int]]


def losses(network: KeypointLlm, batch: Batch) -> dict[str, Tensor]:
    """The parts of the loss of a batch, each a scalar; their sum is trained on."""
    device = network.sharp.device
    images = torch.from_numpy(batch.images).to(device)
    with torch.autocast(device.type, torch.bfloat16):
        maps = network.see(images)
    xy_px, state = torch.from_numpy(batch.xy_px).to(device), torch.from_numpy(batch.state).to(device)
    reference = network.referred(maps, xy_px.flatten(0, 1))
    found = {
        "match": _matching(network, maps, reference, xy_px, state),
        "words": _naming(network, maps, reference, batch),
    }
    asked = as_tensors(network, maps, reference, batch.questions)
    embedded, mask, ids = network.asked(asked.maps, asked.prompts, asked.answers)
    states, logits, _ = network.run(embedded, mask)
    found["text"] = _TEXT * _text(logits, ids, asked.answers)
    last = (ids == network.vocabulary.id_of(KPT)).int().argmax(1) - 1
    answering = states[torch.arange(len(ids), device=device), last]
    helped = torch.rand(len(ids), device=device) < _HELP
    placed, seen = network.place(answering, asked.maps, asked.prompts, helped)
    found |= _placing(network, placed, seen, asked)
    marked = asked.prompts.marked
    unaided, _ = network.unaided(asked.maps.chosen(marked), asked.prompts.reference[marked])
    there = asked.state[marked] > 0
    found["unaided"] = 0.3 * _where(network, unaided, asked.xy_px[marked], there) + 0.3 * _off(
        unaided, asked.xy_px[marked], there
    )
    return found


def as_tensors(network: KeypointLlm, maps: Maps, reference: Tensor, questions: list[Question]) -> Asked:
    """Questions about images with maps (N, …) and reference features (N, K, WIDTH)."""
    device = maps.tokens.device
    image = torch.tensor([q.image for q in questions], device=device)
    support = torch.tensor([q.support for q in questions], device=device)
    keypoint = torch.tensor([q.keypoint for q in questions], device=device)
    marked = support >= 0
    point = reference[support.clamp_min(0), keypoint.clamp_min(0)] * marked[:, None]
    vocabulary = network.vocabulary
    prompts = Prompts([vocabulary.encode(q.prompt) for q in questions], point, marked)
    return Asked(
        prompts,
        maps.chosen(image),
        torch.tensor([q.xy_px for q in questions], device=device),
        torch.tensor([q.state for q in questions], device=device),
        [vocabulary.encode(q.reply) for q in questions],
    )


def _matching(network: KeypointLlm, maps: Maps, reference: Tensor, xy_px: Tensor, state: Tensor) -> Tensor:
    """Every keypoint of every view is looked for in all other views of its family by correlation alone."""
    families, views, keypoints = state.shape
    query = functional.normalize(reference, dim=-1).reshape(families, views, keypoints, -1)
    keys = functional.normalize(maps.fine.flatten(2), dim=1).reshape(families, views, reference.shape[2], -1)
    logits = torch.einsum("fakc,fbch->fabkh", query, keys) * network.sharp.exp()
    target = aimed(network, xy_px.flatten(0, 2)).reshape(families, views, keypoints, -1)
    seen = state == 2
    both = (seen[:, :, None] & seen[:, None]).float()
    both = both * (1.0 - torch.eye(views, device=both.device))[None, :, :, None]
    cost = -(target[:, None] * logits.log_softmax(-1)).sum(-1)
    mean: Tensor = (cost * both).sum() / both.sum().clamp_min(1.0)
    return mean


def _naming(network: KeypointLlm, maps: Maps, reference: Tensor, batch: Batch) -> Tensor:
    """Reference features tell place, kind and end, tokens the part: what is to be put in words is seen first."""
    device = reference.device
    views = batch.state.shape[1]
    visible = torch.from_numpy(batch.state).to(device).flatten(0, 1) == 2
    words = torch.from_numpy(batch.words).to(device).repeat_interleave(views, 0).masked_fill(~visible[..., None], -1)
    cost = torch.zeros((), device=device)
    for column, logits in enumerate(network.naming(reference).split(NAMED, dim=2)):
        cost = cost + functional.cross_entropy(logits.flatten(0, 1), words[..., column].flatten(), ignore_index=-1)
    parts = torch.from_numpy(batch.parts).to(device).repeat_interleave(views, 0)
    return cost + functional.cross_entropy(network.parting(maps.tokens.mean((2, 3))), parts)


def aimed(network: KeypointLlm, xy_px: Tensor) -> Tensor:
    """Targets (M, H·W) that add up to one: a bell around each true place (M, 2)."""
    away = (network.head.centres_px - xy_px[:, None]).square().sum(2)
    return (-away / (2 * _SPREAD_PX**2)).softmax(1)


def _text(logits: Tensor, ids: Tensor, answers: list[list[int]]) -> Tensor:
    """Mean negative logarithm of the likelihood of the answers' tokens."""
    longest = max(map(len, answers))
    width = ids.shape[1]
    lengths = torch.tensor([len(answer) for answer in answers], device=ids.device)
    columns = torch.arange(width - longest, width, device=ids.device)
    counted = torch.arange(longest, device=ids.device) < lengths[:, None]
    guess, truth = logits[:, columns - 1], ids[:, columns].masked_fill(~counted, -100)
    return functional.cross_entropy(guess.flatten(0, 1), truth.flatten(), ignore_index=-100)


def _placing(network: KeypointLlm, placed: Placed, seen: Tensor, asked: Asked) -> dict[str, Tensor]:
    there = asked.state > 0
    visible = (asked.state == 2).float()
    return {
        "where": _where(network, placed, asked.xy_px, there),
        "offset": _off(placed, asked.xy_px, there),
        "seen": 0.5 * functional.binary_cross_entropy_with_logits(seen, visible),
    }


def _where(network: KeypointLlm, placed: Placed, xy_px: Tensor, there: Tensor) -> Tensor:
    cost = -(aimed(network, xy_px) * placed.logits.log_softmax(1)).sum(1)
    return (cost * there).sum() / there.sum().clamp_min(1)


def _off(placed: Placed, xy_px: Tensor, there: Tensor) -> Tensor:
    """Distance in cells of 4 px, the far ones counted less: the map must find those first."""
    off = functional.smooth_l1_loss(placed.xy_px, xy_px, reduction="none").sum(1).clamp_max(24.0) / 4.0
    return 0.3 * (off * there).sum() / there.sum().clamp_min(1)
