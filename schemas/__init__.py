"""What everything else agrees on: events, topics, tables, policies, settings, lists of zones and providers.

Types and their checks, and the data files that come with the package; what comes in are texts (TOML, YAML, JSON), what
goes out are checked values, or an error that names the place. No broker, no store and no network. Every other package
may import it; it imports none of them.
"""
