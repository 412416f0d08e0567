"""What runs on the far side: the supervisor, and the two processes it forks for every program.

Standard library only. The host sends this source to a bare interpreter (see `boot.py`), so nothing here may import
anything of the host's side.
"""
