"""Blocklistings: from when to when, who used what is listed, and whom a listing is attributed to.

In come the events of our own scan and of outside monitors, as they are stored, and the counts by address and domain.
Out go listings as intervals, the customer that had one alone, the likely causes of those that several share, and the
mail that went through what was listed. `attribution` is pure. It uses `io`, `adapt` and `subjects`. Windows, intake
(which fits in what outside monitors say), alerts and what_if may import it, and jobs and api, which show listings.
"""
