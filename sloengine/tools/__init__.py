"""Tools for people and pipelines, one module each: read, pure call, text and JSON. Commands in ``cli.py`` are thin over them."""
