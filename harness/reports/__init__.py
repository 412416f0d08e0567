"""Reports: the numbers of a run, comparisons of runs, and trackers. `render` shows them."""
