"""What both services parse: the event, the emitter's HTTP contract, settings and logging. No framework."""
