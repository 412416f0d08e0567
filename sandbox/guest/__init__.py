"""The code of the far side: the supervisor, and the processes that it forks.

Standard library only. The host sends this source to a bare interpreter (see `bootstrap.py`), so nothing here may import
anything of the host's side.
"""
