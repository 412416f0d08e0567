"""Reports as tables and text: for the terminal, Markdown, LaTeX, CSV. `harness/pages/` is the HTML page."""
