"""What both services run on: the HTTP server, fetched keys, rates, Redis, the process. No I/O but here."""
