"""``python -m tailwatch``: the command line without the console script."""

from tailwatch.cli import main

if __name__ == "__main__":
    main()
