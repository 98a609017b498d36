"""The import of answers that were made elsewhere: each line read and checked, then written."""

from benchmark_runner._run.answer_import.workflow import AnswerImport, ImportOutcome

__all__ = ["AnswerImport", "ImportOutcome"]
