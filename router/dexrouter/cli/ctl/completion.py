"""`dexctl completion SHELL`: a completion script for both programs, for bash, zsh or fish.

The words for dexctl are taken from its own help texts when the script is made; dexrouter's help is read when
the completion runs, so that this needs nothing of the daemon.
"""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from collections.abc import Callable
from typing import Final

from dexrouter.cli.control import build_parser

__all__ = ["SHELLS", "script_for", "show"]

_OPTION: Final = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")

_BASH: Final = """\
# bash completion for dexctl and dexrouter. To use it at once: eval "$(dexctl completion bash)"
_dexctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words at
    case $previous in
        --config|-c|-f) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    esac
    words="@TOP@"
    for ((at = 1; at < COMP_CWORD; at++)); do
        case ${COMP_WORDS[at]} in
@COMMANDS@
        esac
    done
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
_dexrouter() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} words
    if [[ $previous == --config ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    fi
    words=$(dexrouter --help 2>/dev/null | grep -o -E -- '--?[a-z][a-z-]*')
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _dexctl dexctl
complete -F _dexrouter dexrouter
"""

_ZSH: Final = """\
# zsh completion for dexctl and dexrouter. To use it at once: source <(dexctl completion zsh)
_dexctl() {
    local known at
    case ${words[CURRENT-1]} in
        --config|-c|-f) _files; return ;;
    esac
    known="@TOP@"
    for ((at = 2; at < CURRENT; at++)); do
        case ${words[at]} in
@COMMANDS@
        esac
    done
    compadd -- ${=known}
}
_dexrouter() {
    if [[ ${words[CURRENT-1]} == --config ]]; then
        _files
        return
    fi
    compadd -- ${(f)"$(dexrouter --help 2>/dev/null | grep -o -E -- '--?[a-z][a-z-]*')"}
}
(( $+functions[compdef] )) || { autoload -U compinit && compinit; }
compdef _dexctl dexctl
compdef _dexrouter dexrouter
"""

_FISH: Final = """\
# fish completion for dexctl and dexrouter. To use it at once: dexctl completion fish | source
complete -c dexctl -f
complete -c dexctl -n "__fish_prev_arg_in --config -c -f" -F
complete -c dexctl -n __fish_use_subcommand -a "@TOP@"
@COMMANDS@
complete -c dexrouter -f
complete -c dexrouter -n "__fish_prev_arg_in --config" -F
complete -c dexrouter -a "(dexrouter --help 2>/dev/null | grep -o -E -- '--?[a-z][a-z-]*')"
"""


def show(options: Namespace) -> int:
    """Print the script of a shell."""
    print(script_for(options.shell), end="")
    return 0


def script_for(shell: str) -> str:
    """Write the script of a shell."""
    template, line = SHELLS[shell]
    parser, commands = build_parser()
    lines = "\n".join(line(name, " ".join(_words(command))) for name, command in commands.items())
    top = " ".join([*commands, *_options_of(parser)])
    return template.replace("@TOP@", top).replace("@COMMANDS@", lines)


def _bash_line(command: str, words: str) -> str:
    return f'            {command}) words="{words}" ;;'


def _zsh_line(command: str, words: str) -> str:
    return f'            {command}) known="{words}" ;;'


def _fish_line(command: str, words: str) -> str:
    return f'complete -c dexctl -n "__fish_seen_subcommand_from {command}" -a "{words}"'


SHELLS: Final[dict[str, tuple[str, Callable[[str, str], str]]]] = {
    "bash": (_BASH, _bash_line),
    "zsh": (_ZSH, _zsh_line),
    "fish": (_FISH, _fish_line),
}
"""Script and line of a command, by shell."""


def _words(command: argparse.ArgumentParser) -> list[str]:
    """Give what may follow a command: its options, and the words of a choice."""
    choices = re.findall(r"\{([\w,]+)\}", command.format_usage())
    return [*_options_of(command), *(word for choice in choices for word in choice.split(","))]


def _options_of(parser: argparse.ArgumentParser) -> list[str]:
    return sorted(set(_OPTION.findall(parser.format_help())))
