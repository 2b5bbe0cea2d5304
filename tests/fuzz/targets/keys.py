"""A key file, as a gate reads those of its clients."""

from collections.abc import Hashable

from pipeline.errors import ConfigError
from pipeline.key_file import read_client, read_pair
from tests.fuzz import workspace
from tests.fuzz.target import Target, refused


def execute(data: bytes) -> Hashable:
    """Read it as a client's public key and as a pair."""
    path = workspace.folder("keys") / "press4.pub"
    path.write_bytes(data)
    path.chmod(0o600)
    found: list[Hashable] = []
    for read in (read_client, read_pair):
        try:
            read(path)
            found.append("good")
        except ConfigError as error:
            found.append(refused(error))
    return tuple(found)


TARGET = Target("keys", execute)
