"""What mailbox providers say of the operator's mail, asked day by day.

Comes in: the settings, the operator's credentials, and what Gmail Postmaster Tools (API v2) and Microsoft SNDS answer.
Goes out: readings, stored by provider, domain or address, and day (`provider_reports`), each with the customer whose
domain or address it is. `postmaster_answers` and `snds_answers` are pure: an answer becomes readings. `requesting`,
`tokens`, `postmaster` and `snds` ask, `stored` writes and reads. Imported by the command line and by what shows
readings.

A day of which a provider says nothing is unknown, never 0: there is no reading of it.
"""
