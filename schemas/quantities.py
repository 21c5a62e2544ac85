"""Numbers of settings with their units and bounds."""

from typing import Annotated

from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
#: Bounded, since clocks and clients take no infinite time.
Seconds = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "s"})]
#: As `Seconds`, and 0 is at once.
Delay = Annotated[float, Meta(ge=0, le=1e9, extra={"unit": "s"})]
Hours = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "h"})]
Days = Annotated[float, Meta(gt=0, le=1e9, extra={"unit": "d"})]
Count = Annotated[int, Meta(ge=1)]
Milliseconds = Annotated[int, Meta(ge=1, extra={"unit": "ms"})]
WholeDays = Annotated[int, Meta(ge=1, extra={"unit": "d"})]
Bytes = Annotated[int, Meta(ge=1, extra={"unit": "bytes"})]
Megabytes = Annotated[int, Meta(ge=1, extra={"unit": "MB"})]
MegabytesOrNone = Annotated[int, Meta(ge=0, extra={"unit": "MB"})]
#: Longer than a year is a mistake.
Minutes = Annotated[float, Meta(ge=0.01, le=525_600, extra={"unit": "min"})]
#: Questions a second.
Rate = Annotated[float, Meta(ge=0.001, le=1e6, extra={"unit": "1/s"})]
