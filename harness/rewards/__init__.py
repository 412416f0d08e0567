"""Reward models: a score per sample by a model that reads its problem and its program."""
