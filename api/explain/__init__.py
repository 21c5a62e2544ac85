"""Why a customer stands where it stands; how the fleet fares at mailbox providers, and who is struck by an incident.

Comes in: a customer and a moment, or some hours. Goes out: an `Explanation`, plain data with the counts of each window,
the rules, the overrides in force, the open alerts and what was recorded; or the outcomes at each provider, now and as
usual, with whose doing they are. `text` prints it, the command line gives it out as JSON, the console shows it.
Imported by these floors and by none below.
"""
