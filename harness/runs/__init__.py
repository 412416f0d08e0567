"""A run on disk: the store, vectors on their shards, scores, provenance."""
