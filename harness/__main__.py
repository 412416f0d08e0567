"""`python -m harness` is the command `qprobe` too."""

from harness.commands.main import main

if __name__ == "__main__":
    main()
