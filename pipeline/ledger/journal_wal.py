"""How much is in a -wal file (https://www.sqlite.org/fileformat2.html#walformat), whose size says only how much there once was."""

import os

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24


class WalLength:
    """Counts the frames since the -wal was last begun again, going on from where it stood.

    Frames of an earlier round carry other salts. The header is read again each time, as a new round changes its salts.
    """

    def __init__(self) -> None:
        self._salts = b""
        self._frames = 0

    def bytes_in(self, descriptor: int) -> int:
        """Bytes of frames in the file. Raises OSError."""
        header = os.pread(descriptor, HEADER_BYTES, 0)
        if len(header) < HEADER_BYTES:
            return 0
        frame_bytes = FRAME_HEADER_BYTES + int.from_bytes(header[8:12], "big")
        if header[16:24] != self._salts:
            self._salts, self._frames = header[16:24], 0
        while os.pread(descriptor, 8, HEADER_BYTES + self._frames * frame_bytes + 8) == self._salts:
            self._frames += 1
        return self._frames * frame_bytes
