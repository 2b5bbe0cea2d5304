"""S5: a language model that is shown an image and a marked point, or told of it, and answers in words and a position.

Image features and prompt features go through a causal language model together. It answers in text, "part: plate; keypoint:
upper left hole; position: <kpt>", and the hidden state that decodes to <kpt> is regressed to x, y and visibility.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.networks.name_heads import HINTS, NAMED, NameHeads, hinted
from training.networks.position_prompt import Placed, PositionHead, PositionPrompt, peak, sampled
from training.networks.teach_encoder import TOKEN_WIDTH, WIDTH
from training.teach.language import HINT_WORDS, KPT, MATCH, REF, Vocabulary

_IMAGE = -1  # stands for a token of the image
_PAD = 0
_POOLED = 8  # cells a side of the correlation that the language model is told of
LONGEST = 28  # tokens of an answer
_TOKEN = 2  # coarse cells a side of what the language model sees as one token of the image


@dataclass(frozen=True)
class Maps:
    """What the vision encoder sees in N images: tokens (N, C, h, w), fine (N, WIDTH, H, W), keys (N, H·W, 2 · WIDTH)."""

    tokens: Tensor
    fine: Tensor
    keys: Tensor

    def chosen(self, index: Tensor) -> Maps:
        """Those of some images, (M,) of N."""
        return Maps(self.tokens[index], self.fine[index], self.keys[index])


@dataclass(frozen=True)
class Prompts:
    """What is asked of M images.

    Attributes:
        ids: for each the token ids of its instruction.
        reference: (M, WIDTH) reference-keypoint features; zeros where words ask.
        marked: (M,) bool, whether a marked point asks.
        hints: (M, sum(HINTS)) shares of the words for place, kind and end, which count only where a point is marked, and for
            the part: what `NameHeads` see, as soft words.
    """

    ids: Sequence[Sequence[int]]
    reference: Tensor
    marked: Tensor
    hints: Tensor


@dataclass(frozen=True)
class Replies:
    """What was answered.

    Attributes:
        ids: for each the ids of its text, the position token last.
        sure: (M,) geometric mean of the words' probabilities.
        placed, seen: of `PositionHead`; the states are those that decode to the position token.
    """

    ids: list[list[int]]
    sure: Tensor
    placed: Placed
    seen: Tensor


class KeypointLlm(nn.Module):
    """Vision encoder, position prompt, language model with LoRA modules, position head.

    Args:
        encoder: gives tokens and a fine map of images (N, 1, side, side).
        language: a causal language model, already wrapped by `peft`.
        vocabulary: of its tokenizer, with the added words, whose embeddings are trained here.
        side: px of an image.
    """

    def __init__(self, encoder: nn.Module, language: Any, vocabulary: Vocabulary, side: int) -> None:  # noqa: ANN401 - of transformers
        super().__init__()
        self.side, self.vocabulary = side, vocabulary
        self.encoder, self.language = encoder, language
        table: Tensor = language.get_input_embeddings().weight
        width = int(table.shape[1])
        spread = float(table.detach().float().std())
        self.prompt = PositionPrompt(side)
        self.head, self.direct = PositionHead(width, side), PositionHead(WIDTH, side)
        self.sharp = nn.Parameter(torch.tensor(math.log(10.0)))
        self.scale = spread  # embeddings of features come in at the level of words
        self.from_image = nn.Sequential(nn.LayerNorm(TOKEN_WIDTH), nn.Linear(TOKEN_WIDTH, width), nn.LayerNorm(width))
        self.from_reference = nn.Sequential(nn.LayerNorm(WIDTH), nn.Linear(WIDTH, width), nn.LayerNorm(width))
        self.from_match = nn.Sequential(
            nn.Linear(_POOLED**2 + 3, 96), nn.GELU(), nn.Linear(96, width), nn.LayerNorm(width)
        )
        self.words_in = nn.Embedding(len(vocabulary.added), width)
        self.words_out = nn.Linear(width, len(vocabulary.added))
        nn.init.normal_(self.words_in.weight, 0.0, spread)
        self.names = NameHeads()
        self.hints_in = nn.ModuleList(nn.Linear(count, width, bias=False) for count in HINTS)
        self.called = nn.Linear(sum(NAMED), width)  # in training: what a state is that asks for a name

    def trained(self) -> dict[str, Tensor]:
        """All that training changes, by name: parameters with a gradient and the running means beside them."""
        names = {name for name, weight in self.named_parameters() if weight.requires_grad}
        kept = {name: tensor for name, tensor in self.state_dict().items() if name in names}
        frozen = ("language.", "encoder.backbone.")
        return kept | {n: t for n, t in self.state_dict().items() if not n.startswith(frozen) and n not in kept}

    def see(self, images: Tensor) -> Maps:
        """Images (N, side, side) uint8 to their maps."""
        tokens, fine = self.encoder(images.unsqueeze(1).float() / 255.0)
        tokens, fine = tokens.float(), fine.float()
        return Maps(tokens, fine, self.head.keys(fine))

    def referred(self, maps: Maps, xy_px: Tensor) -> Tensor:
        """Reference-keypoint features (N, K, WIDTH) of points (N, K, 2) in support images."""
        return torch.as_tensor(self.prompt(maps.tokens, maps.fine, xy_px))

    def named(self, maps: Maps, reference: Tensor, xy_px: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N, K, sum(NAMED)) of the names of marked points (N, K, 2) in images, and (N, PARTS) of their parts."""
        at = torch.cat([sampled(grid, xy_px, self.side) for grid in (maps.fine, maps.tokens)], 2)
        named: tuple[Tensor, Tensor] = self.names(maps.tokens, maps.fine, reference, at)
        return named

    def hints(self, maps: Maps, reference: Tensor, xy_px: Tensor) -> Tensor:
        """Shares (N, K, sum(HINTS)) of the words for marked points (N, K, 2) and the parts that they are on; no gradient."""
        with torch.no_grad():
            name, part = self.named(maps, reference, xy_px)
            return hinted(torch.cat((name, part[:, None].expand(-1, name.shape[1], -1)), 2))

    def part_hints(self, maps: Maps) -> Tensor:
        """Shares (N, sum(HINTS)) of the words for the parts in images, where nothing is marked; no gradient."""
        with torch.no_grad():
            part = self.names.parts(maps.tokens, maps.fine)
            return hinted(torch.cat((part.new_zeros(len(part), sum(NAMED)), part), 1))

    def correlated(self, reference: Tensor, maps: Maps) -> Tensor:
        """Logits (M, H·W) of where in each image its reference feature (M, WIDTH) is found again."""
        query = functional.normalize(reference, dim=-1)
        keys = functional.normalize(maps.fine.flatten(2), dim=1)
        return torch.einsum("mc,mch->mh", query, keys) * self.sharp.exp()

    def told(self, correlation: Tensor) -> Tensor:
        """The correlation (M, H·W) as the language model is told of it: mass of 8 x 8 cells, its peak, how sure."""
        cells = self.head.cells
        mass = correlation.softmax(1).reshape(-1, 1, cells, cells)
        pooled = functional.adaptive_avg_pool2d(mass, _POOLED).flatten(1) * (cells // _POOLED) ** 2
        place, _ = peak(correlation, self.head.centres_px, cells)
        where = 2.0 * place.xy_px / self.side - 1.0
        return torch.as_tensor(self.from_match(torch.cat((pooled, where, place.share[:, None]), 1)))

    def asked(self, maps: Maps, prompts: Prompts, answers: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings (M, L, D), mask (M, L) and ids (M, L) of image, instruction and answer; prompts end in one column."""
        seen = functional.avg_pool2d(maps.tokens, _TOKEN).flatten(2).transpose(1, 2)
        return self.put(
            self.from_image(seen) * self.scale, self.told(self.correlated(prompts.reference, maps)), prompts, answers
        )

    def put(
        self, image: Tensor, match: Tensor, prompts: Prompts, answers: Sequence[Sequence[int]]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The same from the image's embeddings (M, T, D), T from 0, and what is told of the correlation (M, D)."""
        before = [[*self.vocabulary.begin, *([_IMAGE] * image.shape[1]), *ids] for ids in prompts.ids]
        longest, after = max(map(len, before)), max(map(len, answers))
        rows, masks = [], []
        for first, second in zip(before, answers, strict=True):
            left, right = longest - len(first), after - len(second)
            rows.append([_PAD] * left + first + list(second) + [_PAD] * right)
            masks.append([0] * left + [1] * (len(first) + len(second)) + [0] * right)
        ids, mask = torch.tensor(rows, device=image.device), torch.tensor(masks, device=image.device)
        embedded = self.embedded(ids).masked_scatter((ids == _IMAGE).unsqueeze(2), image)
        features = {REF: self.from_reference(prompts.reference) * self.scale, MATCH: match * self.scale}
        for word, table, share in zip(
            HINT_WORDS, self.hints_in, torch.split_with_sizes(prompts.hints, HINTS, dim=1), strict=True
        ):
            features[word] = table(share)
        for word, feature in features.items():
            here = (ids == self.vocabulary.id_of(word)).unsqueeze(2)
            embedded = torch.where(here, feature[:, None], embedded)
        return embedded, mask, ids

    def embedded(self, ids: Tensor) -> Tensor:
        """Embeddings of ids (M, L); zeros where the image comes."""
        size = self.vocabulary.size
        own = self.language.get_input_embeddings()(ids.clamp(0, size - 1)).float()
        added = self.words_in((ids - size).clamp_min(0))
        return torch.where((ids >= size).unsqueeze(2), added, own) * (ids != _IMAGE).unsqueeze(2)

    def run(self, embedded: Tensor, mask: Tensor, past: Any = None) -> tuple[Tensor, Tensor, Any]:  # noqa: ANN401
        """Hidden states (M, l, D), logits (M, l, V + added) of the last l embeddings, and what the next ones go on from."""
        places = (mask.cumsum(1) - 1).clamp_min(0)[:, -embedded.shape[1] :]
        weight = self.language.get_input_embeddings().weight
        out = self.language(
            inputs_embeds=embedded.to(weight.dtype),
            attention_mask=mask,
            position_ids=places,
            past_key_values=past,
            use_cache=past is not None,
            output_hidden_states=True,
        )
        states = out.hidden_states[-1].float()
        logits = out.logits.float()[..., : self.vocabulary.size]
        return states, torch.cat((logits, self.words_out(states)), 2), out.past_key_values

    def place(
        self, states: Tensor, maps: Maps, prompts: Prompts, helped: Tensor | None = None
    ) -> tuple[Placed, Tensor]:
        """Regress states (M, D); ``helped`` (M,) bool says whose correlation helps, by default all of marked points."""
        help_by = prompts.marked if helped is None else prompts.marked & helped
        correlation = self.correlated(prompts.reference, maps) * help_by[:, None]
        placed: tuple[Placed, Tensor] = self.head(states, maps.keys, correlation)
        return placed

    def unaided(self, maps: Maps, reference: Tensor) -> tuple[Placed, Tensor]:
        """The same head on the reference feature itself, without the language model; for comparison."""
        placed: tuple[Placed, Tensor] = self.direct(reference, maps.keys, self.correlated(reference, maps))
        return placed

    @torch.no_grad()
    def reply(self, maps: Maps, prompts: Prompts) -> Replies:
        """Answer by the likeliest words; a text that never comes to the position token is placed by its last state."""
        from transformers import DynamicCache  # noqa: PLC0415

        count, last = len(prompts.ids), self.vocabulary.id_of(KPT)
        embedded, mask, _ = self.asked(maps, prompts, [[] for _ in range(count)])
        states, logits, past = self.run(embedded, mask, DynamicCache())
        ids: list[list[int]] = [[] for _ in range(count)]
        kept, sure = states[:, -1], torch.zeros(count, device=states.device)
        open_ = torch.ones(count, dtype=torch.bool, device=states.device)
        for _ in range(LONGEST):
            share, token = logits[:, -1].softmax(1).max(1)
            kept = torch.where(open_[:, None], states[:, -1], kept)
            sure += torch.where(open_, share.log(), torch.zeros_like(share))
            for row, (is_open, value) in enumerate(zip(open_.tolist(), token.tolist(), strict=True)):
                if is_open:
                    ids[row].append(value)
            open_ = open_ & (token != last)
            if not bool(open_.any()):
                break
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), 1)
            states, logits, past = self.run(self.embedded(token[:, None]), mask, past)
        lengths = torch.tensor([len(row) for row in ids], device=sure.device)
        placed, seen = self.place(kept, maps, prompts)
        ended = torch.where(open_, torch.zeros_like(sure), (sure / lengths).exp())
        return Replies(ids, ended, placed, seen)
