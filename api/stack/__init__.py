"""Stages started and stopped together: what `up`, `demo` and the commands of single stages run.

Comes in: settings. Goes out: running stages with their connections, embedded broker and store where none is configured,
and an orderly end of all of them. Imported by the command line alone.
"""
