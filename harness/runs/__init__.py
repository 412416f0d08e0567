"""A run on disk: the store, vectors on their shelves, scores, provenance."""
