"""Whether the intake goes on is seen by what is counted, from one look to the next."""

from api.stack.behind import RESUMED_MS, UNWATCHED_MS, Stillness

BOUNCES, DELIVERIES, LOG = ("mail.bounces", 0), ("mail.events", 0), ("mail.log", 0)
#: Between two looks, ms.
LOOK_MS = 10_000
MANY = 1_000_000


def test_partition_stands_still_for_as_long_as_nothing_of_it_is_counted() -> None:
    still = Stillness()
    for look in range(60):
        still.look({BOUNCES: 5, DELIVERIES: 10 * look}, {BOUNCES: 6, DELIVERIES: MANY}, look * LOOK_MS)
        assert still.still_ms(BOUNCES) == look * LOOK_MS
        assert still.still_ms(DELIVERIES) == 0


def test_partition_in_which_nothing_waits_does_not_stand_still() -> None:
    still = Stillness()
    for look in range(60):
        still.look({BOUNCES: 5}, {BOUNCES: 5}, look * LOOK_MS)
    still.look({BOUNCES: 5}, {BOUNCES: 9}, 60 * LOOK_MS)
    assert still.still_ms(BOUNCES) == 0


def test_topic_that_stopped_stays_so_while_others_have_little_to_count() -> None:
    """By night something comes every few minutes, and is counted at once."""
    still = Stillness()
    for look in range(60):
        came = look // 12
        still.look({LOG: 5, DELIVERIES: came}, {LOG: 6, DELIVERIES: came}, look * LOOK_MS)
    assert still.still_ms(LOG) == 59 * LOOK_MS


def test_intake_that_was_down_and_goes_on_is_given_its_time_again() -> None:
    """Bounces are counted first: the deliveries of the same mail come within moments."""
    still, at_end = Stillness(), {BOUNCES: MANY, DELIVERIES: MANY}
    for look in range(60):
        still.look({BOUNCES: 5, DELIVERIES: 5}, at_end, look * LOOK_MS)
    still.look({BOUNCES: 9, DELIVERIES: 5}, at_end, 60 * LOOK_MS)
    assert still.still_ms(DELIVERIES) == 0


def test_so_is_one_whose_bounces_came_only_before_it_went_on() -> None:
    still, began_ms = Stillness(), 60 * LOOK_MS
    for look in range(60):
        still.look({BOUNCES: 5, DELIVERIES: 5}, {BOUNCES: 5, DELIVERIES: MANY}, look * LOOK_MS)
    still.look({BOUNCES: 5, DELIVERIES: 5}, {BOUNCES: 9, DELIVERIES: MANY}, began_ms)
    still.look({BOUNCES: 5, DELIVERIES: 5}, {BOUNCES: 9, DELIVERIES: MANY}, began_ms + RESUMED_MS)
    still.look({BOUNCES: 9, DELIVERIES: 5}, {BOUNCES: 9, DELIVERIES: MANY}, began_ms + RESUMED_MS + 1_000)
    assert still.still_ms(DELIVERIES) == 0


def test_time_in_which_nobody_looked_does_not_count() -> None:
    """Broker or store may not have answered, and nothing could go on."""
    still, at_end = Stillness(), {DELIVERIES: MANY}
    still.look({DELIVERIES: 5}, at_end, 0)
    still.look({DELIVERIES: 5}, at_end, UNWATCHED_MS - 1)
    assert still.still_ms(DELIVERIES) == UNWATCHED_MS - 1
    still.look({DELIVERIES: 5}, at_end, 2 * UNWATCHED_MS)
    assert still.still_ms(DELIVERIES) == 0
