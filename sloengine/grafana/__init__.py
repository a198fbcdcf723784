"""Grafana dashboards: builders, what the SDK leaves undone, and the rules that dashboards hold."""

import warnings

with warnings.catch_warnings():
    # The SDK recommends its dashboardv2 whenever this is imported; we keep to what Grafana 11.6 to 13 all read.
    warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)
    import grafana_foundation_sdk.builders.dashboard
    import grafana_foundation_sdk.cog.plugins
    import grafana_foundation_sdk.models.dashboardv2beta1  # noqa: F401
