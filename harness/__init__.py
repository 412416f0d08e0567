"""The line: generate -> grade -> embed -> probe -> report, the run store, the command line."""
