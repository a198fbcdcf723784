"""A local webhook that remembers what it was sent: the demo's pager."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Pager:
    """Listens on a free loopback port. ``bodies`` holds every request, ``received`` every alert in them, repeats included."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.bodies: list[Any] = []
        self._lock = threading.Lock()
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                pager.take(self.headers.get("Idempotency-Key", ""), json.loads(body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silence: the demo's stderr is for progress."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/page"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, key: str, payload: Any) -> None:
        at = datetime.now(UTC)
        with self._lock:
            self.bodies.append(payload)
            if isinstance(payload, list):  # Alertmanager's API, whose alerts have no key.
                return
            self.received += [
                {
                    "idempotency_key": key,
                    "dedup_key": alert["fingerprint"],
                    "status": alert["status"],
                    "severity": alert["labels"].get("severity", ""),
                    "labels": alert["labels"],
                    "annotations": alert["annotations"],
                    "received_at": at,
                }
                for alert in payload["alerts"]
            ]

    def pages(self) -> list[dict[str, Any]]:
        """Firing pages by unique dedup key, in order of arrival."""
        return [alert for alert in self.firing() if alert["severity"] == "page"]

    def firing(self) -> list[dict[str, Any]]:
        """The same with tickets."""
        with self._lock:
            firing = [r for r in self.received if r["status"] == "firing"]
        return list({r["dedup_key"]: r for r in reversed(firing)}.values())[::-1]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
