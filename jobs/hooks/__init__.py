"""What acts on alerts. Comes in: the topic `reputation.alerts`. Goes out: what it would do about each, once.

Imported by the command line alone; a hook of your own reads the same topic.
"""
