"""What runs on a timer or by hand, outside the stream itself: one room for each purpose, and none imports another.

Settings, the broker and the store come in; rows, messages, files and printed results go out. Imported by `api` alone.
"""
