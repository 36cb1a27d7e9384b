"""Web pages that run a style in a browser, and the server for them."""
