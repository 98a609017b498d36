"""The project of a runner: its folders, its ``.env`` file, and the wheel that is built of it."""
