"""Judging: the counts of subjects and a policy in, verdicts, scores and allowances out. Pure, all of it.

In come counts, of one subject (`schemas.counts`) or of many as arrays (`streams.subjects`), the policy and the time.
Out go a verdict for each rule, who of many needs one, a score for each component, and how much is left until the next
level. Anyone above may import it: windows, decisions, alerts, what_if, monitor, jobs and api. It knows of no alert.
"""
