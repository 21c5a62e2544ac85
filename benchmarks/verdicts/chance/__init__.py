"""Fleets made from chance alone: nobody chose who sends what, what goes wrong, or who is bad.

`people` draws customers and how they send, `mishaps` what hits many together, `abusers` who is bad, `outcomes` what
becomes of the mail and when that is known, `arrival` when it is stored; `trial` lets the product judge.

It is another model than that of the scenarios: rates differ from mailing to mailing by a gamma distribution, outcomes
come late one by one, customers have several streams, pools, ages and time zones, and what goes wrong lasts for any time
at any hour.
"""
