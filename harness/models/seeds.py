"""The seeds of samples. Knowing them needs no torch."""

import hashlib


def sample_seed(run_seed: int, problem_id: str, index: int) -> int:
    """Return the seed of one sample, 63 bits; it does not depend on the other samples of a run."""
    digest = hashlib.sha256(f"{run_seed} {index} {problem_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
