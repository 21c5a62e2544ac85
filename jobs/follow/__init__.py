"""Logs that are read as they grow.

Comes in: the path of a log that a mail server writes and something rotates. Goes out: the canonical events of its
lines, and, once they are acknowledged, a record of how far it was read. Imported by the command line alone.
"""
