"""The product API."""

import os

# Motor reads it when it is imported. Each database call occupies one of its threads: enough for the requests, see
# `database.py`, and some that only the feed uses.
os.environ.setdefault("MOTOR_MAX_WORKERS", "32")
