"""One command on one run: open it, plan, generate, evaluate, score."""
