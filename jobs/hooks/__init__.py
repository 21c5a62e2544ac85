"""What acts on alerts. Comes in: the topic `reputation.alerts`, as hints, and what the store says at that moment. Goes
out: orders to targets (mail servers, providers, commands, mail), and what became of each, in the store.

Imported by the interface's stack and command line alone; a hook of your own reads the same topic.
"""
