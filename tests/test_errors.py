"""What a command does when it is told wrongly, or nobody listens any more."""

import os
import subprocess
import sys

import pytest

COMMAND = """
import sys
from tbstar_jax.errors import run_command

def main(argv):
    {body}

sys.exit(run_command(main, []))
"""

POOLED = """
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

def run_pool():
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""

FORKED = """
import os
import signal
import time

def fork_and_terminate():
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, b"!")
        time.sleep(60)
        os._exit(0)
    os.read(read, 1)
    os.kill(child, signal.SIGTERM)
    print("ended by", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) * -1)
"""


def run_unread(*arguments, **streams):
    """Runs Python with an output whose reader has left, as `head` does."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, *arguments], **{"stdout": write, **streams}, text=True
        )
    finally:
        os.close(write)


@pytest.mark.parametrize("flags", [[], ["-u"]], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("body", ["print(1)", "[print(k) for k in range(100_000)]"])
def test_a_reader_that_leaves_ends_a_command_quietly(flags, body):
    run = run_unread(*flags, "-c", COMMAND.format(body=body), stderr=subprocess.PIPE)
    assert (run.returncode, run.stderr) == (141, "")


def test_a_broken_pipe_to_something_else_is_an_error():
    text = COMMAND.format(body="raise BrokenPipeError('the server')")
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.endswith("BrokenPipeError: the server\n")


def test_a_command_without_any_output_runs():
    text = COMMAND.format(body="print(1)")
    closed = f'{sys.executable} -c "$0" >&-'
    run = subprocess.run(
        ["sh", "-c", closed, text], stderr=subprocess.PIPE, check=False
    )
    assert (run.returncode, run.stderr) == (0, b"")


def test_an_interrupted_command_says_so_without_a_traceback():
    text = COMMAND.format(body="raise KeyboardInterrupt")
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert run.returncode == 130
    assert run.stderr == (
        "interrupted; what is finished is kept, and the same command goes on\n"
    )


def test_a_terminated_command_ends_its_processes_and_says_so():
    body = "run_pool()"
    text = POOLED + COMMAND.format(body=body)
    run = subprocess.Popen(
        [sys.executable, "-c", text],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    worker = int(run.stdout.readline())
    run.terminate()
    _, error = run.communicate(timeout=60)
    assert run.returncode == 143
    # No traceback, and no semaphore that Python would tell of.
    assert error == (
        "interrupted; what is finished is kept, and the same command goes on\n"
    )
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_forked_child_of_a_command_ends_by_the_signal():
    body = "fork_and_terminate()"
    text = FORKED + COMMAND.format(body=body)
    run = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("ended by 15\n", "")
