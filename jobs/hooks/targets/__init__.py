"""What can be asked to stop mail, or to let it go on: one module a kind. Comes in: an order. Goes out: what it said."""
