"""Whether an alert that was read is one that was sent: anyone who may write to the topic can write anything. Pure."""

from schemas.alert import AlertEvent

#: An address holds no longer name, so the store is not asked for one.
LONGEST_NAME = 256


def fault_of_names(event: AlertEvent) -> str:
    """What is wrong with the names by which the store would be asked; empty where nothing is."""
    for name, text in (("id", event.id), ("customer", event.data.customer)):
        if len(text) > LONGEST_NAME:
            return f"forged: {name} has {len(text):,} characters"
    return ""


def fault_against_stored(event: AlertEvent, stored: AlertEvent | None) -> str:
    """What is wrong with an alert as the store knows it; empty where it is the one that was sent."""
    if stored is None:
        return f"unknown: no alert {event.id} of {event.data.customer or event.subject!r} is stored here"
    if stored == event:
        return ""
    fields = [
        *(name for name in event.__struct_fields__ if name != "data" and getattr(event, name) != getattr(stored, name)),
        *(
            f"data.{name}"
            for name in event.data.__struct_fields__
            if getattr(event.data, name) != getattr(stored.data, name)
        ),
    ]
    return f"forged: not as it was sent ({', '.join(fields)})"
