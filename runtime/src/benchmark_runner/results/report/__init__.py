"""A run, or several side by side, as one HTML file that needs nothing else.

``run_figures`` reads a run, ``charts`` draws, ``task_table`` packs the tasks, ``run_page`` and
``runs_page`` fill the templates, and ``page`` renders them. The libraries for charts and templates
come with the extra ``report``.
"""
