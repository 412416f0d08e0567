"""The grammar behind `benchmarks/mini`: it writes the benchmark's problems and the tiny model's lessons, never the same.

    grammar    families of problems: what they ask, how a program does it, and where programmers slip
    choices    program text with choice points: the right text, and every slip
    inputs     the arguments a problem is tried on
    behaviour  what a program returns on them
    split      which problems are the benchmark's and which are lessons
    checks     tests that no slip survives
    lessons    what the tiny model reads
"""
