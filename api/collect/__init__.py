"""The webhook collector: takes what providers post, and answers only for what the broker has."""
