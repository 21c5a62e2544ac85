"""The fleet as all viewers see it: read once for all of them, kept in the process, and looked through there."""
