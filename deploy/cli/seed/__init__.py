"""A catalogue to try things with."""
