"""docs/topics.md: every topic, from its declaration in schemas/topics."""

from schemas.topics import Topic, load_topics

HEAD = """# Topics

Every topic of the broker, from its declaration in `schemas/topics` (`make docs`); `repmon topics create` makes them
so. Those that others act on are described message by message in [events.md](events.md). A change of a topic's schema
is compatible: what was written before can be read after it.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_topic(each) for each in sorted(load_topics().values(), key=lambda each: each.topic))


def _topic(topic: Topic) -> str:
    facts = {
        "written by": ", ".join(topic.written_by),
        "read by": ", ".join(topic.read_by),
        "key": " ".join(topic.key.split()),
        "partitions": str(topic.partitions),
        "kept": topic.retention if topic.cleanup == "delete" else "the last of each key, for good",
        "schema": f"[{topic.schema}](../schemas/json/{topic.schema})",
    }
    rows = "".join(f"| {name} | {value} |\n" for name, value in facts.items())
    return f"\n## `{topic.topic}`\n\n{' '.join(topic.description.split())}\n\n| | |\n|---|---|\n{rows}"
