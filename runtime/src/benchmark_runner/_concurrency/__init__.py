"""Threads, deadlines, slots and the watchdog of the event loop."""
