"""What a user can do wrong, and how a command says so.

A `UserError` carries one clear sentence: what was wrong, the value, the limit and
what to do. Commands print that sentence without a traceback and exit with status 2.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence

_READER_GONE = 128 + 13
"""What a shell reports of a program that SIGPIPE ended."""

_INTERRUPTED = 128 + 2
"""Likewise of one that SIGINT ended."""

_TERMINATED = 128 + 15
"""Likewise of one that SIGTERM ended."""


class UserError(ValueError):
    """Input, option or file that a user can correct."""


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as schedulers and `timeout` send it: ends a command as Ctrl-C does."""


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
      the user interrupted it, 143 where SIGTERM did.
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
        with _terminable():
            main(argv)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(
            "interrupted; what is finished is kept, and the same command goes on",
            file=sys.stderr,
        )
        return _TERMINATED if isinstance(interrupt, _Terminated) else _INTERRUPTED
    return 0


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM unwind the command, so that it ends its processes and locks.

    Where somebody else listens to the signal already, or in another thread than the
    main one, it stays as it is.
    """
    process = os.getpid()

    def stop(number: int, frame: types.FrameType | None) -> None:
        del frame
        if os.getpid() != process:
            # A forked child has the handler too, but no command to unwind.
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise _Terminated

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


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
