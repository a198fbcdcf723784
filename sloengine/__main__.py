"""``sloengine`` and ``python -m sloengine``."""

import sys


def start() -> None:
    """The command; on a device, where only the instrumentation library is installed, it says what is missing."""
    try:
        from sloengine.cli import main
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sloengine"):
            raise
        sys.stderr.write(
            f"This is the device library alone ({error.name} is missing): pip install 'sloengine[server]'\n"
        )
        raise SystemExit(2) from None
    main()


if __name__ == "__main__":
    start()
