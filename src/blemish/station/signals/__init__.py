"""Verdicts go out: a durable outbox, sinks that signals are sent to, and the reject gate with its deadline."""
