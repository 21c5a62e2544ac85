"""What people and programs meet: the command line, the HTTP interface and the webhook collector.

Rooms are floors: `cli` over `terminal`, `terminal` over `stack`, `stack` over `text`, `text` over `explain` and
`collect`, these over `http`.
Nothing else imports from here.
"""
