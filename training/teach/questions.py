"""Batches that a keypoint language model learns from: views of families, and questions about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.keypoint_words.grammar import ENDS, KINDS, PLACES, KeypointName, answer, described, instruction
from training.keypoint_words.part_shapes import parts as parts_of_all
from training.teach.rendered_families import KEYPOINTS, RenderedFamilies
from training.teach.teach_method import TeachMethod
from training.teach.views import drawn_view

Random = np.random.Generator
_VISIBLE = 2
_PLACES, _KINDS, _ENDS, _PARTS = list(PLACES), list(KINDS), ["", *ENDS], parts_of_all()


@dataclass(frozen=True)
class Question:
    """One question to the language model. Images are numbered within the batch.

    Attributes:
        image: that is asked about.
        support, keypoint: image and index of the marked point; -1 where words ask.
        prompt, reply: texts.
        xy_px: (2,) where the keypoint is in the image.
        state: 2 visible, 1 hidden, 0 the image has no such keypoint, and then ``xy_px`` says nothing.
    """

    image: int
    support: int
    keypoint: int
    prompt: str
    reply: str
    xy_px: tuple[float, float]
    state: int


@dataclass(frozen=True)
class Batch:
    """F families of V views.

    Attributes:
        images: (F·V, S, S) uint8.
        xy_px, state: (F, V, KEYPOINTS, 2) float32 and (F, V, KEYPOINTS) int8.
        words: (F, KEYPOINTS, 3) int64, place, kind and end of each keypoint by their numbers in the grammar, or -1.
        parts: (F,) int64, words for parts by their numbers.
        questions: to the language model.
    """

    images: NDArray[np.uint8]
    xy_px: NDArray[np.float32]
    state: NDArray[np.int8]
    words: NDArray[np.int64]
    parts: NDArray[np.int64]
    questions: list[Question]


def batch(families: RenderedFamilies, method: TeachMethod, among: range, seed: tuple[int, ...]) -> Batch:
    """The batch of a seed, of families in ``among``."""
    rng = np.random.default_rng(seed)
    chosen = rng.choice(np.arange(among.start, among.stop), method.together, replace=False)
    views = method.views
    images = np.empty((method.together * views, method.side, method.side), np.uint8)
    xy_px = np.zeros((method.together, views, KEYPOINTS, 2), np.float32)
    state = np.full((method.together, views, KEYPOINTS), -1, np.int8)
    frames = families.images.shape[1]
    for row, family in enumerate(chosen):
        for column, frame in enumerate(rng.choice(frames, views, replace=views > frames)):
            view = drawn_view(
                rng,
                families.images[family, frame],
                families.xy_px[family, frame],
                families.state[family, frame],
                float(families.long_px[family, frame]),
                method.side,
            )
            images[row * views + column] = view.image
            xy_px[row, column], state[row, column] = view.xy_px, view.state
    names = [families.names[family] for family in chosen]
    parts = [families.parts[family] for family in chosen]
    asker = _Asker(rng, method, names, parts, xy_px, state)
    words, numbers = _numbered(names), np.array([_PARTS.index(part) for part in parts])
    return Batch(
        images, xy_px, state, words, numbers, [asker.ask(index % len(images)) for index in range(method.queries)]
    )


def _numbered(names: list[tuple[KeypointName, ...]]) -> NDArray[np.int64]:
    """See `Batch.words`."""
    words = np.full((len(names), KEYPOINTS, 3), -1)
    for row, family in enumerate(names):
        for column, name in enumerate(family):
            words[row, column] = _PLACES.index(name.place), _KINDS.index(name.kind), _ENDS.index(name.end)
    return words


@dataclass(frozen=True)
class _Asker:
    rng: Random
    method: TeachMethod
    names: list[tuple[KeypointName, ...]]
    parts: list[str]
    xy_px: NDArray[np.float32]
    state: NDArray[np.int8]

    def ask(self, image: int) -> Question:
        """A question about an image."""
        manner = self.rng.random()
        if manner < self.method.absent:
            return self._absent(image)
        if manner < self.method.absent + self.method.words:
            return self._in_words(image)
        return self._marked(image, itself=manner > 1.0 - self.method.described)

    def _in_words(self, image: int) -> Question:
        row, column = divmod(image, self.method.views)
        keypoint = int(self.rng.integers(len(self.names[row])))
        name = self.names[row][keypoint]
        return self._question(image, -1, row, keypoint, instruction(described(self.rng, name)), (row, column))

    def _marked(self, image: int, *, itself: bool) -> Question:
        """A point that is seen in the support image, which is another one of the family, or the image itself."""
        row, column = divmod(image, self.method.views)
        other = column
        if not itself:
            other = int((column + self.rng.integers(1, self.method.views)) % self.method.views)
        visible = np.flatnonzero(self.state[row, other] == _VISIBLE)
        if not len(visible):
            return self._in_words(image)
        keypoint = int(self.rng.choice(visible))
        return self._question(image, row * self.method.views + other, row, keypoint, instruction(), (row, column))

    def _absent(self, image: int) -> Question:
        """Something that another family of the batch has, and this one has not."""
        row = image // self.method.views
        other = int((row + self.rng.integers(1, len(self.names))) % len(self.names))
        column = int(self.rng.integers(self.method.views))
        lacking = [i for i, name in enumerate(self.names[other]) if name not in self.names[row]]
        visible = [i for i in lacking if self.state[other, column, i] == _VISIBLE]
        if not visible:
            return self._marked(image, itself=False)
        keypoint = int(self.rng.choice(visible))
        if self.rng.random() < 0.5:
            prompt = instruction(described(self.rng, self.names[other][keypoint]))
            reply = answer(self.parts[row], str(self.names[other][keypoint]))
            return Question(image, -1, keypoint, prompt, reply, (0.0, 0.0), 0)
        reply = answer(self.parts[other], str(self.names[other][keypoint]))
        support = other * self.method.views + column
        return Question(image, support, keypoint, instruction(), reply, (0.0, 0.0), 0)

    def _question(
        self, image: int, support: int, row: int, keypoint: int, prompt: str, at: tuple[int, int]
    ) -> Question:
        x, y = self.xy_px[at][keypoint]
        reply = answer(self.parts[row], str(self.names[row][keypoint]))
        state = int(self.state[at][keypoint])
        return Question(image, support, keypoint, prompt, reply, (float(x), float(y)), state)
