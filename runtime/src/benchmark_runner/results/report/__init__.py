"""A run, or several side by side, as one HTML file that needs nothing else.

``figures`` reads a run and says what there is to say, ``charts`` draws, ``task_table`` packs the
tasks, and ``page`` puts them into one page. The libraries for charts and templates come with the
extra ``report``.
"""
