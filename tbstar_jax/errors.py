"""What a user can do wrong, and how a command says so.

A `UserError` carries one clear sentence: what was wrong, the value, the limit and
what to do. Commands print that sentence without a traceback and exit with status 2.
"""

import os
import select
import sys
from collections.abc import Callable, Sequence

_READER_GONE = 128 + 13
"""What a shell reports of a program that SIGPIPE ended."""

_INTERRUPTED = 128 + 2
"""Likewise of one that SIGINT ended."""


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
      The exit status: 0; 2 after a `UserError`, whose sentence goes to stderr; 141,
      quietly, where whoever read the output has closed it, as `head` does; 130 where
      the user interrupted it.
    """
    try:
        try:
            return _run(main, sys.argv[1:] if argv is None else argv)
        finally:
            # At exit, Python would complain about what it cannot write.
            print(end="", flush=True)
    except BrokenPipeError:
        # It may also come from a process or server that the command talks to.
        if not _is_reader_gone():
            raise
        return _READER_GONE


def _run(main: Callable[[Sequence[str]], None], argv: Sequence[str]) -> int:
    try:
        main(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "interrupted; what is finished is kept, and the same command goes on",
            file=sys.stderr,
        )
        return _INTERRUPTED
    return 0


def _is_reader_gone() -> bool:
    """Whether nobody reads an output; what is still written there goes nowhere."""
    is_gone = False
    for stream in filter(None, (sys.stdout, sys.stderr)):
        poll = select.poll()
        # Asks for nothing: errors are reported always.
        poll.register(stream, 0)
        if poll.poll(0):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            is_gone = True
    return is_gone
