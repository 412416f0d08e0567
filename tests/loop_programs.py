"""Programs with loops: those that never end, those that do, and the many ways in which a loop can hide its end."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "corpus" / "loops"


def _read(name: str) -> dict[str, str]:
    parts = (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("=== ")[1:]
    return {title: source for title, _, source in (part.partition("\n") for part in parts)}


ENDLESS = _read("endless")
ENDING = _read("ending")
FUELS = _read("fuels")


def fuel(name: str, lasts: int) -> tuple[str, str]:
    """Statements, and the condition that becomes true after some `lasts` times though no plain variable shows it."""
    setup, _, condition = FUELS[name].replace("LAST", str(lasts)).partition("\n--- ")
    return setup, condition.strip()
