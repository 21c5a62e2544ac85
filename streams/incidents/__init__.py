"""What hits the fleet: a provider's outage, a refused pool, a batch of old complaints. Counts of all customers by the
hour come in, incidents go out: which mail is left out of every judged rate, because its failures say nothing of its
senders. Imported by the rooms that read windows, judge or replay, and by what tells operators.
"""
