"""A report as one HTML page that needs no network: figures as inline SVG, and a browser of problems and samples."""

from harness.reports.render.html.page import page

__all__ = ["page"]
