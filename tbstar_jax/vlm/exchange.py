"""One HTTP request to a server that need not be friendly.

Redirects are not followed: a key must not travel to where the user did not send it.
Compressed bodies are refused, since a small one can unpack to gigabytes. The body is
capped while it is read, and a deadline holds for the whole exchange: a server that
sends one byte a second keeps every socket timeout from firing. Proxies named in the
environment are not used.
"""

import dataclasses
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from tbstar_jax.errors import UserError

_CHUNK_BYTES = 1 << 16

_NOT_CONNECTED: Mapping[type[Exception], str] = {
    ConnectionRefusedError: "connection refused",
    socket.gaierror: "no such host",
    ssl.SSLCertVerificationError: "its TLS certificate is not trusted",
    ssl.SSLError: "no TLS there",
}

Failure = Literal["timeout", "connection", "too_large", "encoded"]


class ExchangeError(Exception):
    """No usable HTTP reply came back.

    Attributes:
      kind: `timeout` (connecting or until the last byte), `connection` (refused,
        reset, cut off, not HTTP), `too_large` or `encoded` (compressed).
      is_connected: whether there was a connection.
    """

    def __init__(self, kind: Failure, detail: str, is_connected: bool = True) -> None:
        super().__init__(detail)
        self.kind = kind
        self.is_connected = is_connected


@dataclasses.dataclass(frozen=True, kw_only=True)
class HttpReply:
    """What a server answered.

    Attributes:
      status: HTTP status code, redirects included.
      headers: names in lower case.
      body: as sent, never more than the cap.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Limits:
    """What one exchange may take.

    Attributes:
      connect_timeout_s: seconds until connected, TLS included.
      reply_timeout_s: seconds from sending the request to the last byte of the reply.
      max_reply_bytes: largest body.
    """

    connect_timeout_s: float
    reply_timeout_s: float
    max_reply_bytes: int

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if value <= 0:
                raise UserError(f"{name} is {value}, but must be above 0")


def check_url(url: str) -> None:
    """Refuses what is not the plain address of a web server.

    Raises:
      UserError: another scheme than http and https, no host, a user name or password,
        a query, or characters that no address has.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_plain = parts.port != 0 and parts.username is None
        is_plain = is_plain and not parts.query and not parts.fragment
    except ValueError:
        is_address = is_plain = False
    is_visible = url.isascii() and url.isprintable() and " " not in url
    if not (is_address and is_plain and is_visible):
        # The address is not repeated: it may hold a password.
        raise UserError(
            "the base URL is not acceptable; write http:// or https://, a host and a "
            "path, without user name, password or query"
        )


def require_listener(url: str, timeout_s: float) -> None:
    """Connects to a server, TLS included, and sends nothing.

    Args:
      url: as for `post`.
      timeout_s: seconds until connected.

    Raises:
      ExchangeError: there is no connection.
      UserError: the address is not acceptable.
    """
    check_url(url)
    connection = _connection(url, timeout_s)
    try:
        _connect(connection)
    finally:
        connection.close()


def post(
    url: str, body: bytes, headers: Mapping[str, str], limits: Limits
) -> HttpReply:
    """Sends one POST request.

    Args:
      url: an http or https address (see `check_url`).
      body: what to send.
      headers: beside those HTTP itself needs.
      limits: of this exchange.

    Returns:
      The reply, whatever its status.

    Raises:
      ExchangeError: there is none, or none that is acceptable.
      UserError: the address is not acceptable.
    """
    check_url(url)
    connection = _connection(url, limits.connect_timeout_s)
    try:
        _connect(connection)
        deadline = _Deadline(connection.sock, limits.reply_timeout_s)
        with deadline:
            try:
                return _exchange(connection, url, body, headers, limits)
            except (OSError, ValueError, http.client.HTTPException) as error:
                if deadline.has_passed or isinstance(error, TimeoutError):
                    raise ExchangeError(
                        "timeout", f"no full reply in {limits.reply_timeout_s:g} s"
                    ) from error
                raise ExchangeError("connection", _name(error)) from error
    finally:
        connection.close()


def _connection(url: str, timeout_s: float) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host,
            parts.port,
            timeout=timeout_s,
            context=ssl.create_default_context(),
        )
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_s)


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except TimeoutError as error:
        raise ExchangeError("timeout", "no connection in time", False) from error
    except (OSError, UnicodeError) as error:
        raise ExchangeError("connection", _why_not(error), False) from error


def _why_not(error: Exception) -> str:
    """Why there is no connection."""
    words = (words for cls, words in _NOT_CONNECTED.items() if isinstance(error, cls))
    return next(words, _name(error))


def _exchange(
    connection: http.client.HTTPConnection,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    limits: Limits,
) -> HttpReply:
    parts = urlsplit(url)
    connection.sock.settimeout(limits.reply_timeout_s)
    plain = {"Accept-Encoding": "identity", "Connection": "close"}
    connection.request(
        "POST", parts.path or "/", body=body, headers={**headers, **plain}
    )
    with connection.getresponse() as response:
        return _read(response, limits)


def _read(response: http.client.HTTPResponse, limits: Limits) -> HttpReply:
    headers = {name.lower(): value for name, value in response.getheaders()}
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ExchangeError("encoded", "the reply is compressed, unasked")
    declared = response.length
    if declared is not None and declared > limits.max_reply_bytes:
        raise _too_large(limits)
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > limits.max_reply_bytes:
            raise _too_large(limits)
    if declared is not None and len(body) < declared:
        raise http.client.IncompleteRead(bytes(body), declared - len(body))
    return HttpReply(status=response.status, headers=headers, body=bytes(body))


def _too_large(limits: Limits) -> ExchangeError:
    return ExchangeError(
        "too_large", f"the reply has more than {limits.max_reply_bytes} bytes"
    )


def _name(error: Exception) -> str:
    # Not the error's text: it can quote headers, and with them the key.
    return type(error).__name__


class _Deadline:
    """Cuts a connection off after some seconds, whatever it is waiting for."""

    def __init__(self, connected: socket.socket, seconds: float) -> None:
        self.has_passed = False
        self._socket = connected
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _cut(self) -> None:
        self.has_passed = True
        try:
            # Of the plain socket: TLS's own shutdown would wait for its lock.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
        except OSError:
            return  # the other side was faster
