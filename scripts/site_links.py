"""A hook of mkdocs: links that leave `docs/` lead to the page that shows the same file, or become plain text.

The pages are read in two places: beside the code, where a link to a source file leads somewhere, and on the site, which
holds no source files.
"""

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ANN401 - mkdocs' own
    """Rewrite the links of one page."""
    shown = {Path(file.abs_src_path).resolve(): file.src_uri for file in files.documentation_pages()}
    folder = Path(page.file.abs_src_path).resolve().parent
    inside = folder == Path(config["docs_dir"]).resolve()

    def rewritten(link: "re.Match[str]") -> str:
        label, target, anchor = link[1], (folder / link[2]).resolve(), link[3] or ""
        if target in shown:
            return f"[{label}]({shown[target]}{anchor})"
        return link[0] if inside and target.is_relative_to(folder) else label

    return _LINK.sub(rewritten, markdown)
