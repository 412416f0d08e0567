"""The checker of `mini-programs/divisor`, where several outputs are right."""


def divides(given: str, printed: str, expected: str) -> bool:
    """Whether a divisor of the given number was printed that is neither 1 nor the number itself."""
    number, divisor = int(given), int(printed)
    return 1 < divisor < number and number % divisor == 0
