"""`dexctl completion bash`: a completion script for both programs.

The words for dexctl are taken from its own help texts when the script is made; dexrouter's help is read when
the completion runs, so that this needs nothing of the daemon.
"""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from typing import Final

from dexrouter.cli.control import build_parser

__all__ = ["bash_script", "show"]

_OPTION: Final = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")

_SCRIPT: Final = """\
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


def show(_options: Namespace) -> int:
    """Print the script."""
    print(bash_script(), end="")
    return 0


def bash_script() -> str:
    """Write the script."""
    parser, commands = build_parser()
    cases = "\n".join(
        f'            {name}) words="{" ".join(_words(command))}" ;;' for name, command in commands.items()
    )
    top = " ".join([*commands, *_options_of(parser)])
    return _SCRIPT.replace("@TOP@", top).replace("@COMMANDS@", cases)


def _words(command: argparse.ArgumentParser) -> list[str]:
    """Give what may follow a command: its options, and the words of a choice."""
    choices = re.findall(r"\{([\w,]+)\}", command.format_usage())
    return [*_options_of(command), *(word for choice in choices for word in choice.split(","))]


def _options_of(parser: argparse.ArgumentParser) -> list[str]:
    return sorted(set(_OPTION.findall(parser.format_help())))
