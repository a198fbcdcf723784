"""Imports the package first: it silences what the SDK says of its own classic dashboards on import."""

import sloengine.grafana  # noqa: F401
