"""The public Python API of qprobe."""
