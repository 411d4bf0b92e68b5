import re

_FORM = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::([1-9][0-9]{0,4}))?")


def normalise(text: str) -> str:
    """The normal form of §2: lower case, and no port when it is 443. Raises ValueError for what is no authority."""
    match = _FORM.fullmatch(text)
    if match is None or int(match[1] or 0) > 65535:
        raise ValueError("not an authority")
    return text.removesuffix(":443").lower() if match[1] == "443" else text.lower()
