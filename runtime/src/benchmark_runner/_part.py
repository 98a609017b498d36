"""The parts that settings and facts have in a run's identity."""

from enum import StrEnum


class Part(StrEnum):
    """The part of a setting or fact in the check that a resume is of the same run."""

    IDENTITY = "identity"
    """Another value makes it another run: refused."""
    CODE = "code"
    """The code that generates: another one is refused, unless it is accepted expressly."""
    GRADER = "grader"
    """The service that grades: with another one, grades are stale."""
    PROVENANCE = "provenance"
    """A fact, recorded with every invocation in which it differs."""
    OPERATIONAL = "operational"
    """A setting of how a command works: free to change, recorded likewise."""
    RECORD = "record"
    """Something that the framework itself writes down about the run."""
    INVOCATION = "invocation"
    """A setting of one invocation only, such as what it prints."""
