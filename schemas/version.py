"""The version of this project. `pyproject.toml` says the same, which a test checks."""

VERSION = "0.2.0"
