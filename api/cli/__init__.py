"""The command line: one module for each group of commands.

Comes in: arguments, settings, standard input. Goes out: lines, tables or JSON on standard output, errors on standard
error, an exit code. What a command does is in `jobs` and `streams`; what it looks like is in `api.text`. The highest
floor: nothing imports from here.
"""
