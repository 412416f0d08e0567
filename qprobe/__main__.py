"""`python -m qprobe` is the command `qprobe`."""

import qprobe as qprobe  # claims the package names before they are imported
from harness.commands.main import main

if __name__ == "__main__":
    main()
