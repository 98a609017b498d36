"""What each command prints, as text and as JSON."""
