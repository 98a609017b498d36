"""A run as a log of Inspect, made without it."""
