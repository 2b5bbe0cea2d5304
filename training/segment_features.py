"""Features of the frozen encoder, computed once for every variant of an image and kept on the disk.

With the small SAM the encoder takes 62 ms an image in torch, a training step of all that comes after it 50 ms, reading what is
kept 0.2 ms. One byte of the image that differs gives other features, and so does another SAM: files are named by both.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from training.disk import writing
from training.networks.prompted_sam import SamEncoder

Features = NDArray[np.float16]
_LARGEST = float(np.finfo(np.float16).max)


class FeatureStore:
    """Intermediate and final features by image. Half precision: 11 bits, where training in bf16 keeps 8."""

    def __init__(self, encoder: SamEncoder, weights: str, folder: Path, gigabytes: float) -> None:
        """Keep up to ``gigabytes`` in ``folder``, what is there already among them; ``weights`` names the SAM."""
        self.encoder, self._folder = encoder, folder
        colours = [cast(torch.Tensor, one).flatten().tolist() for one in (encoder.mean, encoder.deviation)]
        self._tag = f"{weights} {encoder.after} {colours}".encode()
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._encoding = Lock()  # several threads prepare batches; two encoders at once would only share the processor
        encoder.to(self._device)
        channels, rows, columns = encoder.intermediate
        self.bytes_each = 2 * (channels + encoder.embedding[0]) * rows * columns
        kept = sum(path.stat().st_size for path in folder.glob("*.npy"))
        self._room = int(gigabytes * 1e9) - kept
        self.capacity = int(gigabytes * 1e9) // self.bytes_each
        self.computed = 0

    def key(self, image: NDArray[np.uint8]) -> str:
        """The name of the features of an image (H, W)."""
        return hashlib.sha256(self._tag + image.tobytes()).hexdigest()[:32]

    def __call__(self, key: str, image: Callable[[], NDArray[np.uint8]]) -> tuple[Features, Features]:
        """Intermediate (Ci, h, w) and embedding (Ce, h, w) by their name; ``image`` is asked for where they are not kept.

        Raises:
            DataError: they cannot be written, or what ``image`` raises.
        """
        path = self._folder / f"{key}.npy"
        split, (_, rows, columns) = self.encoder.intermediate[0], self.encoder.embedding
        if path.is_file():
            with suppress(EOFError, ValueError, FileNotFoundError):  # cut off by a power cut, or just tidied away
                both = np.load(path)
                if both.shape == (split + self.encoder.embedding[0], rows, columns):
                    return both[:split], both[split:]
        shown = image()
        with self._encoding:
            both = self._encoded(shown)
            self.computed += 1
            if self._room >= self.bytes_each:
                self._room -= self.bytes_each
                self._keep(path, both)
        return both[:split], both[split:]

    @torch.no_grad()
    def _encoded(self, image: NDArray[np.uint8]) -> Features:
        intermediate, embedding = self.encoder(torch.from_numpy(image[None, ..., None]).to(self._device))
        both = torch.cat((intermediate, embedding), dim=1)[0].clamp(-_LARGEST, _LARGEST)
        return np.ascontiguousarray(both.half().cpu().numpy())

    def _keep(self, path: Path, both: Features) -> None:
        """In one step: a killed run leaves no half of it."""
        with writing(self._folder, "free some room, or a smaller features_gb in the method"):
            self._folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}.part")  # another training may be at the same image
            with beside.open("wb") as file:
                np.save(file, both)
            beside.replace(path)
