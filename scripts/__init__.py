"""The scripts that made the files that ship: run from the repository root as modules, `python -m scripts.NAME`."""
