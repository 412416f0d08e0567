"""The line: generate -> grade -> embed -> probe -> report, the run store, the command line."""

__version__ = "0.1.0"
"""The version of qprobe; the package's metadata and CITATION.cff follow."""
