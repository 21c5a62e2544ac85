"""Who is counted: customers and their streams, classes and sub-accounts, and what they have over sliding windows.

In come names of customers, lengths of windows and the time now; out go arrays of counts with the axes subject, window
and field. `totals` reads them from the store; `arrays` and `scopes` are pure. It uses `io`. Listings, windows, judge,
alerts, what_if, monitor and intake may import it, and jobs and api, which ask about customers too.
"""
