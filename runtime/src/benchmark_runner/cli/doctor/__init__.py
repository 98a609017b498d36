"""What is wrong with a runner's repository, and what heals it: ``doctor``.

Each check is a module that looks at one thing and returns a :class:`~.findings.Finding`;
:mod:`~.examination` makes them in order. Nothing here changes the repository.
"""
