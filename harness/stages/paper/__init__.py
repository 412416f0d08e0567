"""The tables of the Q-Probe paper on code, made again: its rows, the runs that they need, and the two side by side."""
