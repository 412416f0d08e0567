"""The checker of `mini-programs/divisor`, which has several right outputs."""


def divides(given: str, printed: str, expected: str) -> bool:
    """Return whether the printed number divides the given one and is neither 1 nor the number itself."""
    number, divisor = int(given), int(printed)
    return 1 < divisor < number and number % divisor == 0
