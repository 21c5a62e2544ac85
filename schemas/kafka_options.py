"""Which options of librdkafka cannot be set in `kafka.options`, since what is promised about counts rests on them."""

from collections.abc import Iterator, Mapping

#: Where the same is set.
_SET_BY = {
    "bootstrap.servers": "kafka.bootstrap",
    "metadata.broker.list": "kafka.bootstrap",
    "group.id": "kafka.group",
}
#: What each would break.
_BREAKS = {
    "auto.offset.reset": "ingest continues at what is stored, and must notice messages that are gone",
    "enable.auto.commit": "offsets are committed once what they count is stored",
    "allow.auto.create.topics": "a topic made by asking for it has partitions of the broker's choice; "
    "`repmon topics create` makes them",
    "topic.blacklist": "a topic that is left out would not be read, and nothing would say so",
    "transactional.id": "what is sent does not wait for a transaction",
    "partitioner": "a customer's events stay in one partition by murmur2_random, as Java's producers choose it",
}
#: What an option is by default, or what else breaks nothing.
_HARMLESS = {"allow.auto.create.topics": {"false"}, "enable.auto.commit": {"false"}, "partitioner": {"murmur2_random"}}
_ALL = {"-1", "all"}
_BROKER_SIDE = frozenset({"partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"})
_PROTOCOLS = ("classic", "consumer")
#: Moves only those partitions that must move.
_COOPERATIVE = "cooperative-sticky"


def fault_of_options(options: Mapping[str, str]) -> str:
    """What is wrong with librdkafka's options; empty if nothing is."""
    return next(_faults(options), "")


def _faults(options: Mapping[str, str]) -> Iterator[str]:
    for name, value in options.items():
        said = value.strip().lower()
        if setting := _SET_BY.get(name):
            yield f"`{name}` is set by {setting}"
        if (reason := _BREAKS.get(name)) and said not in _HARMLESS.get(name, ()):
            yield f"`{name}` cannot be set: {reason}"
        if name in ("acks", "request.required.acks") and said not in _ALL:
            yield f"`{name}` must be `all`: what is set aside is acknowledged only then"
    protocol = options.get("group.protocol", _PROTOCOLS[0]).lower()
    if protocol not in _PROTOCOLS:
        yield f"`group.protocol` is one of {', '.join(_PROTOCOLS)}, not {protocol!r}"
    strategies = {each.strip() for each in options.get("partition.assignment.strategy", "").split(",")}
    if _COOPERATIVE in strategies and len(strategies) > 1:
        yield f"`partition.assignment.strategy`: {_COOPERATIVE} goes with no other"
    if has_broker_side_sessions(options):
        for name in _BROKER_SIDE & options.keys():
            yield f"`{name}` is the broker's to say where `group.protocol` is `consumer`"


def is_incremental(options: Mapping[str, str]) -> bool:
    """Whether a consumer with these options is told of each partition that it gains or loses, not of all it has."""
    strategy = options.get("partition.assignment.strategy", "").strip()
    return has_broker_side_sessions(options) or strategy == _COOPERATIVE


def has_broker_side_sessions(options: Mapping[str, str]) -> bool:
    """Whether the broker says how long a consumer may be silent (KIP-848): the client then refuses to be told."""
    return options.get("group.protocol", "").lower() == "consumer"
