"""Read finished and running runs, compare them and report on them."""
