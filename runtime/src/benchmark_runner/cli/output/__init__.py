"""The output of each command, as text and as JSON."""
