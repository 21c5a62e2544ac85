"""One module a page: its view, the function that makes it, its routes. `all` lists them."""
