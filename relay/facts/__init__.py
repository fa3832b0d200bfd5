"""The relay's own facts, events of a source of its own: what happens to deliveries, sinks, sources, the store. Pure."""
