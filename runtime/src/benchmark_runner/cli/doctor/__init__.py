"""The checks of ``doctor``, each a module that returns a :class:`~.findings.Finding`.

:mod:`~.checks` makes them in order. Nothing here changes the repository.
"""
