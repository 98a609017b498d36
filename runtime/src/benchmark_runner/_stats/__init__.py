"""Statistics of scores: means and errors, intervals, paired differences.

Pure functions over finite floats, with nothing but the standard library. Each formula names its
source, and the tests compare it with another implementation and with published values.
"""
