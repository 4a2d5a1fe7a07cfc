"""`python -m blemish`: the command line."""

from __future__ import annotations

from blemish.cli.main import main

if __name__ == "__main__":
    main()
