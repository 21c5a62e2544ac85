"""Incidents: what hits many customers together is found, stored, and left out of what customers are judged by.

In come the counts; out go the provider-hours that are left out (the view `left_out`, which `subjects` reads) and the
incidents for operators. `detect` decides by numbers alone, `undecided` says of whom they cannot, `hours` makes
incidents of what is found, all pure; `cells` reads, `stored` keeps, `watch` is what the monitor holds. What begins to
be listed together is found by `mass_listing` (pure) and `listing_look`. It uses `io`, `subjects` and `listings`;
monitor, jobs and api may import it.
"""
