"""`python -m sloengine.embedded --path P --port N --database D`: the embedded store alone, for tests and trials."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from sloengine.embedded.errors import StoreUnavailableError
from sloengine.embedded.server import serve
from sloengine.embedded.settings import Role, StoreSettings, users_from_passwords


def run(arguments: Sequence[str] | None = None) -> int:
    """Exit 0 after a clean stop, 2 when the store can't start as asked."""
    options = _options(arguments)
    passwords = {role: os.environ.get(f"SLOENGINE_STORE_{role.name}_PASSWORD") for role in Role}
    try:
        settings = StoreSettings(
            path=options.path,
            host=options.host,
            port=options.port,
            database=options.database,
            users=users_from_passwords(passwords, options.host),
            max_body_bytes=options.max_body_bytes,
        )
        serve(settings, listening=_say)
    except (StoreUnavailableError, ValidationError) as error:
        sys.stderr.write(f"sloengine store: {error}\n")
        return 2
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sloengine.embedded", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="folder of the data; made if it isn't there")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on; others than loopback need passwords")
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free port")
    parser.add_argument("--database", default="sloengine", help="database that requests use unless they name another")
    parser.add_argument("--max-body-bytes", type=int, default=256 << 20, help="largest request body, decompressed")
    return parser.parse_args(arguments)


def _say(address: str) -> None:
    sys.stdout.write(f"listening on {address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(run())
