"""`datumd keys`: the keys of stations and their clients."""

import argparse
from pathlib import Path

from pipeline import key_file
from pipeline.errors import ConfigError


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "keys",
        help="make and list the keys of stations and clients",
        description="A pair of keys is two files: NAME.key, which stays with its owner, and NAME.pub, which the other side gets. "
        "A station needs security.key (its own NAME.key) and security.clients (a folder with the NAME.pub of each client).",
        epilog="Example: datumd keys new press4 --folder /etc/datumd/keys",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a pair of keys")
    new.add_argument("name", metavar="NAME", help="the client's or the station's: the audit trail shows it")
    new.set_defaults(run=run_new)
    listing = actions.add_parser("list", help="list the public keys in a folder")
    listing.set_defaults(run=run_list)
    for action in (new, listing):
        action.add_argument("--folder", type=Path, default=Path(), metavar="DIR", help="where they lie (default: here)")


def run_new(args: argparse.Namespace) -> int:
    """Make NAME.key and NAME.pub."""
    secret, public = key_file.new_keys(args.folder, args.name)
    print(f"{secret}  stays with {args.name}: only its owner may read it")
    print(f"{public}  is for the other side: into a station's folder of clients, or to a client as --server-key")
    return 0


def run_list(args: argparse.Namespace) -> int:
    """Print name and key of each NAME.pub, and whether its secret lies beside it."""
    try:
        paths = key_file.client_files(args.folder)
    except OSError as problem:
        raise ConfigError(f"cannot be read ({problem.strerror})", where=str(args.folder)) from None
    for path in paths:
        beside = "  with its secret" if path.with_suffix(key_file.SECRET).exists() else ""
        print(f"{path.stem:24} {key_file.read_public(path, follow=False).decode()}{beside}")
    return 0
