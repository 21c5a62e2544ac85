"""Why a customer stands where it stands.

Comes in: a customer and a moment. Goes out: an `Explanation`, plain data with the counts of each window, the rules, the
overrides in force, the open alerts and what was recorded. `text` prints it, the command line gives it out as JSON.
Imported by these two floors and by none below.
"""
