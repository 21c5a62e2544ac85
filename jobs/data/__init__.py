"""What becomes of stored data over the years: erasing, exporting, backing up, counting again, moving.

Comes in: a customer, an address, a time, or a folder. Goes out: rows that are gone, changed or copied, files, and a
receipt or a report that says so in numbers. What is to be done is worked out in pure modules. Imported by the command
line alone.
"""
