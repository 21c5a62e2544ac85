"""Standard output and error as Rich draws on them: for what is live, such as tables and bars."""

from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
