"""The pages of docs/ that are made from the code: settings, commands, metrics. `make docs` writes them."""
