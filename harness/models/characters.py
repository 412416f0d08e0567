"""Text that every encoding can hold."""


def whole_characters(text: str) -> str:
    """Return the text with each half of a surrogate pair as U+FFFD; whole pairs become their character.

    JSON may hold half a pair, where a completion was cut inside a character; UTF-8 cannot.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
