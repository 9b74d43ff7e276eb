"""What both services parse: the event, the emitter's HTTP contract, settings, logging. Only `serving` does I/O."""
