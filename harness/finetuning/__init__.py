"""Training of LoRA adapters: rows of tokens, a loss per method, a loop that resumes, an adapter and its card."""
