"""The console and the API: what the engine knew after its last tick, for people and for programs."""
