"""mlpipe completion: a script for the user's shell, made of the parser, so that it knows every option."""

import argparse
import shlex

from mlpipe_assets.arguments import make_parser


def completion(options: argparse.Namespace) -> int:
    """Print the script for one shell."""
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](_words()))
    return 0


def _words() -> dict[str, list[str]]:
    """Per command what may follow it; of the empty name, the commands and options of mlpipe itself."""
    parser = make_parser()
    found: dict[str, list[str]] = {"": _options(parser)}
    for action in parser._actions:  # noqa: SLF001 (argparse has no public list of what it was given)
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            found[""] += list(action.choices)
            found |= {name: _options(command) for name, command in action.choices.items()}
    return found


def _options(parser: argparse.ArgumentParser) -> list[str]:
    words = [word for action in parser._actions for word in action.option_strings]  # noqa: SLF001
    choices = [
        str(choice)
        for action in parser._actions  # noqa: SLF001
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for choice in action.choices or ()
    ]
    return [*choices, *words]


def _bash(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {name}) words={shlex.quote(' '.join(follow))} ;;" for name, follow in words.items() if name)
    return f"""_mlpipe() {{
  local words={shlex.quote(" ".join(words[""]))}
  case "${{COMP_WORDS[1]}}" in
{cases}
  esac
  [ "$COMP_CWORD" -eq 1 ] && words={shlex.quote(" ".join(words[""]))}
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _mlpipe mlpipe"""


def _zsh(words: dict[str, list[str]]) -> str:
    cases = "\n".join(f"    {name}) follow=({' '.join(follow)}) ;;" for name, follow in words.items() if name)
    return f"""#compdef mlpipe
_mlpipe() {{
  local -a follow
  follow=({" ".join(words[""])})
  (( CURRENT > 2 )) && case "${{words[2]}}" in
{cases}
  esac
  compadd -- $follow
  (( CURRENT > 2 )) && _files
}}
compdef _mlpipe mlpipe"""


def _fish(words: dict[str, list[str]]) -> str:
    lines = [f"complete -c mlpipe -n __fish_use_subcommand -f -a {shlex.quote(' '.join(words['']))}"]
    lines += [
        f"complete -c mlpipe -n '__fish_seen_subcommand_from {name}' -a {shlex.quote(' '.join(follow))}"
        for name, follow in words.items()
        if name
    ]
    return "\n".join(lines)
