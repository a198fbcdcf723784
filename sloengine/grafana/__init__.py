"""Grafana dashboards: builders, what the SDK leaves undone, and the rules that dashboards hold."""

import warnings

with warnings.catch_warnings():
    # The SDK recommends its dashboardv2, which Grafana 11 and 12 don't read from files; it says so on import, to everybody.
    warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
    import grafana_foundation_sdk.models.dashboard  # noqa: F401
