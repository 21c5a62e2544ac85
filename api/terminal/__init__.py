"""What an operator leaves open on a terminal: the worst customers, live, sorted and filtered, and one of them in full.

Comes in: keys and clicks, lines of `api.explain`, an explanation of `api.stack`. Goes out: a screen; nothing is decided
or written. Over `stack`, whose readers it asks; imported by the command line alone, and only on a terminal.
"""
