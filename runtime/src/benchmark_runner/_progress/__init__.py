"""Events of a run, and what listens to them."""
