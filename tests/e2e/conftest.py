"""What is no test here: the old runner's own tests run in its environment, once it has one."""

collect_ignore = ["old_runner"]
