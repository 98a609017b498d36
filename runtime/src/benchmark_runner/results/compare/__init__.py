"""Compare two runs task by task."""
