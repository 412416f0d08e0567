"""Language models: engines write completions, embedders turn text into vectors."""
