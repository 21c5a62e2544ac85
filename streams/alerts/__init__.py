"""The life of an alert, its evidence and its words.

In come verdicts, with what was decided and what was known before; out go events on `reputation.alerts`, and rows of
alerts, of their states and of standings. `lifecycle` and `outcome` decide and `describe` finds the words, all three
pure; `record` stores and sends, `evidence` and `late` ask the store. Imported by the monitor, which drives it, by
what_if for the life alone, and by jobs and api, which read what it stored.
"""
