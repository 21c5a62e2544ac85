"""What regular expressions may cost."""

import re


def nested_quantifier(pattern: str) -> bool:
    """A group that contains an unbounded or counted repetition is itself repeated."""
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)
    stack: list[bool] = [False]
    for place, char in enumerate(plain):
        if char == "(":
            stack.append(False)
        elif char == ")":
            inner = stack.pop()
            repeated = plain[place + 1 : place + 2] in ("*", "+", "{")
            if inner and repeated:
                return True
            stack[-1] = stack[-1] or inner
        elif char in "*+{":
            stack[-1] = True
    return False
