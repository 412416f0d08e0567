"""Reports as tables, text, files and pages."""
