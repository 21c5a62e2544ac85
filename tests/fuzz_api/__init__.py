"""Requests that schemathesis makes from the OpenAPI document, against a running interface (`make fuzz-api`)."""
