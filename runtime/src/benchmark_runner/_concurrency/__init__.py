"""Threads, deadlines, slots and the event loop's watchdog."""
