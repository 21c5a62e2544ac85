"""What a subject's standing can be, as it is stored and answered."""

from typing import Final, Literal

from schemas.levels import Level

#: The worst level of any rule, or that there is too little mail to judge any rate.
Standing = Level | Literal["insufficient_volume"]
INSUFFICIENT_VOLUME: Final = "insufficient_volume"


def stored_standing(column: str) -> str:
    """The SQL that reads a stored standing: rows written before the value was renamed say `too_small`.

    Such rows stay for up to 400 days (tables `standings` and `scores`), and a monitor of an older release may still
    write some; read so, nobody need rewrite them.
    """
    return f"if({column} = 'too_small', '{INSUFFICIENT_VOLUME}', {column})"
