"""A run in the formats of other tools: tables, logs and traces."""
