"""A server on this machine's loopback that misbehaves on demand."""

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent; `declared` bytes are promised, or no number where it is negative.

    `wait_s` passes before each part.
    """

    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b""
    declared: int | None = None
    wait_s: float = 0.0
    part_bytes: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


class Loopback:
    """Counts, remembers and answers requests by a function of (request, index)."""

    def __init__(self, answer: Callable[[Request, int], Answer]):
        self.requests: list[Request] = []
        self.most_at_once = 0
        self._answer = answer
        self._now = 0
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def handle(self, request):
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        return self._answer(request, index)

    def done(self):
        with self._lock:
            self._now -= 1

    def wait(self, seconds):
        self._stopped.wait(seconds)

    def stop(self):
        self._stopped.set()


def completion(text, finish="stop", **message):
    """The body of a chat completion."""
    return json.dumps(
        {
            "model": "judge-2026-11-01",
            "choices": [
                {"message": {"content": text, **message}, "finish_reason": finish}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10},
        }
    ).encode()


@contextlib.contextmanager
def serving(answer):
    """Yields the base URL and the `Loopback`; an answer, or a function giving one."""
    loopback = Loopback(answer if callable(answer) else lambda *_: answer)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            request = Request(
                path=self.path,
                headers={k.lower(): v for k, v in self.headers.items()},
                body=self.rfile.read(length),
            )
            answer = loopback.handle(request)
            loopback.wait(answer.wait_s)
            # Before the reply is sent: its reader may ask again at once.
            loopback.done()
            with contextlib.suppress(OSError):  # the client hung up, as it should
                self._send(answer)

        def _send(self, answer):
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            declared = len(answer.body) if answer.declared is None else answer.declared
            if declared >= 0:
                self.send_header("Content-Length", str(declared))
            self.end_headers()
            step = answer.part_bytes or max(1, len(answer.body))
            for at in range(0, len(answer.body), step):
                self.wfile.write(answer.body[at : at + step])
                if answer.part_bytes:
                    loopback.wait(answer.wait_s)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", loopback
    finally:
        loopback.stop()
        server.shutdown()
        thread.join()
        server.server_close()


def elapsed(function):
    """Seconds a call took, and its result."""
    start = time.monotonic()
    result = function()
    return time.monotonic() - start, result
