"""The embedded store: ClickHouse's HTTP interface over chDB, ClickHouse's engine in this process.

A door, not a database: SQL runs in the engine; ours are the protocol (`http`, `frames`, `native`, `bodies`), who may do
what (`access`, `request_settings`) and whole inserts (`spool`, `engine`).
"""

from sloengine.embedded.errors import StoreUnavailableError
from sloengine.embedded.server import serve
from sloengine.embedded.settings import ReaderLimits, Role, StoreSettings, User

__all__ = ["ReaderLimits", "Role", "StoreSettings", "StoreUnavailableError", "User", "serve"]
