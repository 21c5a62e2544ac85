"""The scan of blocklists over DNS.

Comes in: the table of zones, the settings, the addresses and domains that customers sent from, and what the last scan
knew. Goes out: events of listings that began, continue or ended (topic `mail.blocklistings`), and the scan's state in
the store. Which zones are asked when, which answers are trusted and how a listing lives is decided in pure modules;
`dnsbl` asks, `state` and `scan_slots` read and write the store, `scan` brings them together. Imported by the command
line and by what prints its results.
"""
