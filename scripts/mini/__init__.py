"""The grammar behind `benchmarks/mini`: it writes the problems and the tiny model's lessons, never the same.

grammar    what a family of problems is: what it asks, how a program does it, where programmers slip
catalogue  the families, from families/*.toml and parts.toml
choices    program text with choice points: the right text, and every slip
inputs     the arguments a problem is tried on
behaviour  what a program returns on them
checks     tests that no slip survives
split      which tasks are the benchmark's problems and which may be lessons
lessons    what the tiny model reads
tokenizer  how it reads it
"""
