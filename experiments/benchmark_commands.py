"""Names of the benchmark's commands, without what they import."""

import difflib
from collections.abc import Mapping

from tbstar_jax.errors import UserError

PROGRAM = "python -m experiments.benchmark"

COMMANDS: Mapping[str, str] = {
    "list": "tasks, splits, slices, measures and modes of judges",
    "cases": "writes the cases of a split, for other systems to answer",
    "validate": "checks cases and answers without scoring them",
    "compare": "two runs on the same cases, prompt by prompt",
    "gap": "one system on two splits, such as test and fresh",
    "report": "several runs in one report",
    "judge": "judges a finished run, or two in pairs",
    "rejudge": "judge RUN --again: judges the same pictures again, says what moved",
    "canary": "whether a judge still judges as it did",
    "audit": "which planted defects a scorer or a judge finds",
    "preference": "a blind page for people, and what their votes say",
    "public": "other benchmarks, from a copy of your own",
}
"""Every command, and what it is for."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "preference": ("page", "count", "power"),
    "public": ("export", "score", "page"),
}
"""Commands of commands."""


def command_lines() -> str:
    """The commands, one to a line."""
    return "\n".join(f"  {name:<12}{told}" for name, told in COMMANDS.items())


def unknown_command(name: str) -> UserError:
    """What is said of a word that is no command."""
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return UserError(
        f"there is no command {name[:40]!r}{hint}; the commands are "
        f"{', '.join(COMMANDS)}; see `{PROGRAM} --help`"
    )


def parts_help(name: str) -> str:
    """The help of a command of commands."""
    return (
        f"usage: {PROGRAM} {name} {{{','.join(PARTS[name])}}} ...\n\n"
        f"{COMMANDS[name]}; each of them has a --help of its own"
    )
