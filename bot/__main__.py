"""``python -m bot``."""

import sys

try:
    from bot.cli import main
except ModuleNotFoundError as exc:
    # The system's Python, most likely: a trace would say less than this.
    sys.exit(f"Error: the package {exc.name} is missing here; run ./start.sh once, then: source .venv/bin/activate")

if __name__ == "__main__":
    main()
