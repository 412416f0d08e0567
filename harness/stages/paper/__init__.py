"""The tables of the Q-Probe paper made again: their rows, the runs that they need, and the two side by side."""
