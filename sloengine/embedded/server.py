"""Opening the store and serving it until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn

from sloengine.embedded.engine import Engine
from sloengine.embedded.errors import StoreError, StoreUnavailableError
from sloengine.embedded.http import StoreApp
from sloengine.embedded.settings import StoreSettings, exposure_problem

_PATIENCE_S = 2.0  # then SELECTs are cancelled
_GRACE_S = 20  # then connections are cut: an insert that is being written gets this long


def serve(settings: StoreSettings, listening: Callable[[str], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT. `listening` gets the address once connections are accepted.

    Raises StoreUnavailableError when the path is taken, the port is taken, or the address needs passwords.
    """
    problem = exposure_problem(settings)
    if problem:
        raise StoreUnavailableError(problem)
    listener = _listen(settings)
    try:
        engine = Engine(settings)
    except BaseException:
        listener.close()
        raise
    app = StoreApp(engine, settings)
    host, port = listener.getsockname()[:2]
    if listening:
        listening(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    try:
        _run(_Server(_config(app), engine), listener)
    finally:
        app.close()
        engine.close()


class _Server(uvicorn.Server):
    """uvicorn waits for answers under way when it stops; this has long queries end early, so that it needn't wait."""

    def __init__(self, config: uvicorn.Config, engine: Engine) -> None:
        super().__init__(config)
        self._engine = engine

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self._cancel_queries)
        await super().shutdown(sockets)
        timer.cancel()

    def _cancel_queries(self) -> None:
        with contextlib.suppress(StoreError):
            self._engine.cancel_queries()


def _config(app: StoreApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        # SQL may be in the URL.
        h11_max_incomplete_event_size=app.max_url_bytes,
        # Longer than Go's and urllib3's idle timeouts would be best, but a reset is retried by all of them.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _run(server: uvicorn.Server, listener: socket.socket) -> None:
    """uvicorn re-raises the signal that stopped it: with handlers that do nothing, a stop when told is a clean exit."""
    if threading.current_thread() is not threading.main_thread():
        server.run(sockets=[listener])
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(settings: StoreSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol must be named: asyncio turns Nagle's algorithm off only on sockets that say they are TCP, and with it on each
    # answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host.strip("[]"), settings.port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise StoreUnavailableError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
    return listener
