"""Statistics of scores: means, errors, intervals, differences, tests at every look; forecasts.

Pure functions over finite floats, with nothing but the standard library. Each formula names its
source, and the tests compare it with another implementation and with published values.
"""
