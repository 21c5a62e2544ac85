"""What is read from files or sent again.

Comes in: logs, webhook bodies and mailboxes in files, packed or not, or dead letters in the store. Goes out: messages
to the topics that ingest reads, each only after it was read successfully, and a record of what was replayed. Imported
by the command line alone.
"""
