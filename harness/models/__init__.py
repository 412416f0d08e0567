"""Language models: what writes completions (engines) and what turns text into vectors (embedders)."""
