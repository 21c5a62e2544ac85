"""What is printed: alerts, standings, explanations, listings, policies and results of jobs, as lines for a person.

Comes in: values as `streams`, `jobs` and `api.explain` give them. Goes out: text, made harmless for a terminal. Nothing
here decides or writes anything. Imported by the stack and the command line.
"""
