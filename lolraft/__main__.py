"""`python -m lolraft`: the same as the command `lolraft`."""

from lolraft.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
