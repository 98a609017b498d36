"""Programs that print figures, one a goal, each beside the limit measured in the same run."""
