"""`datumd completion`: a script with which a shell completes commands, options and their choices."""

import argparse
from functools import partial

SHELLS = ("bash", "zsh", "fish")
_EPILOG = """\
bash:  datumd completion bash > ~/.local/share/bash-completion/completions/datumd
       or, for this shell alone:  eval "$(datumd completion bash)"
zsh:   datumd completion zsh > ~/.zfunc/_datumd     with  fpath+=~/.zfunc  before compinit in ~/.zshrc
fish:  datumd completion fish > ~/.config/fish/completions/datumd.fish
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command; `subparsers` is where it will find all others."""
    parser = subparsers.add_parser(
        "completion",
        help="print a script for completion in a shell",
        description="Print a script from which a shell completes what is typed after datumd: commands, options, choices. It is "
        "made from this version's commands, those of installed extras included: make it anew after an update.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS, help="for which shell")
    parser.set_defaults(run=partial(run, subparsers))


def run(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", args: argparse.Namespace) -> int:
    """Print the script."""
    from pipeline.commands.shell_script import bash, fish, zsh
    from pipeline.commands.word_tree import words

    make = {"bash": bash, "zsh": zsh, "fish": fish}[args.shell]
    print(make(words(commands)), end="")
    return 0
