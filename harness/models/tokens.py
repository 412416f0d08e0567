"""A sample as tokens."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tokens:
    """Prompt and completion, joined as tokens: the positions [start, end) are the completion's."""

    ids: list[int]
    start: int
    end: int
    cut: bool  # whether tokens were left out because the context is too short

    @property
    def span(self) -> tuple[int, int]:
        """The completion's positions; the last position there is where the completion is empty."""
        return (self.start, self.end) if self.end > self.start else (len(self.ids) - 1, len(self.ids))
