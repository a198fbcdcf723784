"""``python -m sloengine``."""

from sloengine.cli import main

if __name__ == "__main__":
    main()
