"""What programs of others import; `repmon.client` is all of it.

In come the public names of `api.client` and the types that its answers and events have; they go out under this name,
which stays when rooms are moved. Nothing in this project imports it.
"""
