"""Labels from outside the telemetry path: what people and labelling tools send is checked here and becomes log rows."""
