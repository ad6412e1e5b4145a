"""What a user can do wrong, and how a command says so.

A `UserError` carries one clear sentence: what was wrong, the value, the limit and
what to do. Commands print that sentence without a traceback and exit with status 2.
"""

import sys
from collections.abc import Callable, Sequence


class UserError(ValueError):
    """Input, option or file that a user can correct."""


def run_command(
    main: Callable[[Sequence[str]], None], argv: Sequence[str] | None = None
) -> int:
    """Runs a command line and turns a `UserError` into one sentence.

    Args:
      main: the command, called with the arguments after the program's name.
      argv: those arguments; `sys.argv[1:]` when absent.

    Returns:
      The exit status: 0, or 2 after a `UserError`, whose sentence goes to stderr.
    """
    try:
        main(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
