"""`python -m wsmgr`: the command line, for an environment without the `wsmgr` script."""

from __future__ import annotations

from wsmgr.cli.main import main

if __name__ == "__main__":
    main()
