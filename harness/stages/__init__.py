"""The stages of a run: each reads from a run and adds to it."""
