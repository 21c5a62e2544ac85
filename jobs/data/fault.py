"""The error of this room."""

from schemas.errors import InvalidInputError


class StoredDataError(InvalidInputError):
    """What is asked of stored data cannot be done; the message names what is in the way."""
