"""The commands: signatures and imports only."""
