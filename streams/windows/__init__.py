"""Counts over sliding windows, as a policy asks for them.

In come customers, the policy's windows and the time; out go subjects with all that its rules need: mail, exposure,
listings, what is usual, mail to some providers alone, and what small customers that share something have together.
`current` reads windows that end now, for many customers; `past` those of one customer at any moment. It uses `io`,
`subjects`, `judge` and `listings`. Monitor and what_if may import it, and api, which explains and answers.
"""
