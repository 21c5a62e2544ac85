"""What the routes take and answer, as types, by subject. As `api.http.models`, they are pydantic models, since the
OpenAPI document is made from them; every property has a description there.
"""
