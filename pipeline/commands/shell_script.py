"""Completion scripts: the word tree as a script that a shell sources. Nothing is run when the tabulator key is pressed."""

from collections.abc import Callable, Iterator, Sequence
from shlex import quote

from pipeline.commands.word_tree import Option, Words

_BASH = """\
# bash completion of datumd, made by `datumd completion bash` from its parsers.
_datumd() {
    local at='' word='' previous="${COMP_WORDS[COMP_CWORD-1]}" current="${COMP_WORDS[COMP_CWORD]}"
    local commands='' options='' choices='' i
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        case "$at/$word" in
@PATHS@
        esac
    done
    case "$at $previous" in
@VALUES@
    esac
    case "$at" in
@WORDS@
    esac
    if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "$options" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$commands $choices" -- "$current"))
    fi
}
complete -o default -F _datumd datumd
"""
_ZSH = """\
#compdef datumd
# zsh completion of datumd, made by `datumd completion zsh` from its parsers.
_datumd() {
    local at='' word='' previous="${words[CURRENT-1]}" i
    local -a commands options choices
    for (( i = 2; i < CURRENT; i++ )); do
        word="${words[i]}"
        case "$at/$word" in
@PATHS@
        esac
    done
    case "$at $previous" in
@VALUES@
    esac
    case "$at" in
@WORDS@
    esac
    if [[ "${words[CURRENT]}" == -* ]]; then
        _describe 'option' options
    elif (( ${#commands} )); then
        _describe 'command' commands
    else
        (( ${#choices} )) && compadd -- $choices
        _files
    fi
}
if [[ "${funcstack[1]}" == _datumd ]]; then _datumd "$@"; else compdef _datumd datumd; fi
"""
_FISH = """\
# fish completion of datumd, made by `datumd completion fish` from its parsers.
function __datumd_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        switch "$at/$word"
@PATHS@
        end
    end
    test "$at" = "$argv[1]"
end
@WORDS@
"""
_PAD = "        "


def bash(tree: Sequence[Words]) -> str:
    """A script for bash 3 and later, without the package bash-completion."""

    def value(option: Option) -> str:
        words = quote(" ".join(option.choices))
        return f'COMPREPLY=($(compgen -W {words} -- "$current")); return' if option.choices else "return"

    def listed(node: Words) -> str:
        names = " ".join(name for option in node.options for name in option.names)
        commands, choices = " ".join(node.commands), " ".join(node.choices)
        return f"commands={quote(commands)} options={quote(names)} choices={quote(choices)}"

    return _filled(_BASH, tree, value, listed)


def zsh(tree: Sequence[Words]) -> str:
    """A script for zsh: to be sourced after compinit, or put into a folder of fpath as `_datumd`."""

    def value(option: Option) -> str:
        return f"compadd -- {' '.join(map(quote, option.choices))}; return" if option.choices else "_files; return"

    def listed(node: Words) -> str:
        commands = [_described(name, text) for name, text in node.commands.items()]
        options = [_described(name, option.help) for option in node.options for name in option.names]
        choices = " ".join(map(quote, node.choices))
        return f"commands=({' '.join(commands)}) options=({' '.join(options)}) choices=({choices})"

    return _filled(_ZSH, tree, value, listed)


def fish(tree: Sequence[Words]) -> str:
    """A script for fish: to be sourced, or put into ~/.config/fish/completions as `datumd.fish`."""
    paths = "\n".join(
        f"{_PAD}    case {_fish(_key(node.path))}\n{_PAD}        set at {_fish(_at(node.path))}" for node in tree[1:]
    )
    lines = [line for node in tree for line in _fish_lines(node)]
    return _FISH.replace("@PATHS@", paths).replace("@WORDS@", "\n".join(lines))


def _filled(script: str, tree: Sequence[Words], value: Callable[[Option], str], listed: Callable[[Words], str]) -> str:
    paths = [f"{_PAD}    {quote(_key(node.path))}) at={quote(_at(node.path))} ;;" for node in tree[1:]]
    values = [
        f"{_PAD}{'|'.join(quote(f'{_at(node.path)} {name}') for name in option.names)}) {value(option)} ;;"
        for node in tree
        for option in node.options
        if option.takes_value
    ]
    nodes = [f"{_PAD}{quote(_at(node.path))}) {listed(node)} ;;" for node in tree]
    parts = {"@PATHS@": paths, "@VALUES@": values, "@WORDS@": nodes}
    for mark, lines in parts.items():
        script = script.replace(mark, "\n".join(lines))
    return script


def _fish_lines(node: Words) -> Iterator[str]:
    begin = f"complete -c datumd -n {_fish(f'__datumd_at {_fish(_at(node.path))}')}"
    for name, text in node.commands.items():
        yield f"{begin} -f -a {_fish(name)} -d {_fish(text)}"
    if node.choices:
        yield f"{begin} -a {_fish(' '.join(node.choices))}"
    for option in node.options:
        names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
        kind = f" -x -a {_fish(' '.join(option.choices))}" if option.choices else " -r" if option.takes_value else ""
        yield f"{begin} {' '.join(names)}{kind} -d {_fish(option.help)}"


def _at(path: tuple[str, ...]) -> str:
    return " ".join(path)


def _key(path: tuple[str, ...]) -> str:
    """Where one is, and the word that leads to `path` from there."""
    return f"{_at(path[:-1])}/{path[-1]}"


def _described(name: str, text: str) -> str:
    return quote(f"{name}:{text}")  # the first colon parts them; names have none


def _fish(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
