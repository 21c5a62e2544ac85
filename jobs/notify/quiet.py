"""Hours in which a route waits. Pure."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from schemas.notify import Quiet, clock_time
from schemas.times import utc_time


def quiet_until_ms(quiet: Quiet, now_ms: int) -> int:
    """When the quiet hours that now is in are over (epoch ms); 0 where it is in none.

    The hours are those of the clock on the wall: on a day on which that is put forward or back they are shorter or
    longer.
    """
    zone = ZoneInfo(quiet.zone)
    here = utc_time(now_ms).astimezone(zone)
    begin, end = clock_time(quiet.begin), clock_time(quiet.end)
    for day in (here.date() - timedelta(days=1), here.date()):
        last = day + timedelta(days=1) if end <= begin else day
        # Compared in UTC: two times of one zone are compared by their clocks, and an hour may come twice.
        begins, ends = _ms(datetime.combine(day, begin, zone)), _ms(datetime.combine(last, end, zone))
        if begins <= now_ms < ends:
            return ends
    return 0


def _ms(time: datetime) -> int:
    return round(time.timestamp() * 1000)
