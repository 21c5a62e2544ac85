"""What people decided: policies that were applied, overrides, acknowledgements, suspensions, and the list of customers.

In come rows of the store; out go decisions as values, and the policy with all that is in force put over it. Written
they are elsewhere (`jobs.operator`). Anyone who judges or shows may import it: alerts, monitor, jobs and api; what is
counted does not depend on it.
"""
