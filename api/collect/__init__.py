"""The webhook collector: takes what providers post, and answers only for what the broker has.

Comes in: HTTP requests at `/collect/FORMAT/SOURCE`, each with a signature or credentials, and reports by mail (LMTP)
from the mail server of this host. Goes out: the bodies as they are, to the topic of their source, and metrics. What a
body means is read by ingest, not here. Imported by the command line alone.
"""
