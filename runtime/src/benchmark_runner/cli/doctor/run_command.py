"""``run_cmd`` of a contract: the call of the runner in a line of shell."""

import shlex
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import PurePosixPath
from typing import cast

from benchmark_runner._run.request import RunRequest
from benchmark_runner.cli.doctor.contract_file import Contract, Table

__all__ = ["PROBLEM", "TASK", "Call", "ParseRun", "call_in"]

#: Parses the arguments of ``run``; a usage error has a ``format_message()``.
ParseRun = Callable[[Sequence[str]], RunRequest]

#: What stands for the placeholders that an orchestrator always fills in.
PROBLEM, TASK = "/problem-of-the-task", "the-task"
_ALWAYS = {"problem_statement_path": PROBLEM, "task_id": TASK}
_OF_TYPE = {"int": "1", "float": "1", "bool": "true", "dict": "{}"}
_OPERATORS = frozenset("();<>|&")
#: What only a shell knows, which a program such as ``timeout`` can't start.
_OF_THE_SHELL = frozenset({".", ":", "cd", "eval", "exec", "export", "set", "source", "ulimit"})


@dataclass(frozen=True, slots=True)
class Call:
    """The call of the runner's script: the arguments after it; ``None`` if there is no call.

    ``program`` is the first word of the whole line.
    """

    program: str
    arguments: list[str] | None

    @property
    def needs_a_shell(self) -> bool:
        """True if the line begins with what is no program."""
        return "=" in self.program or self.program in _OF_THE_SHELL or self.program[:1] in "({"


def call_in(contract: Contract, scripts: Collection[str]) -> Call:
    """Return the call of one of the runner's scripts, with values for all placeholders.

    Raises:
        ValueError: a quotation in the line has no end.
    """
    line = contract.get("run_cmd")
    values = {name: _value(each) for name, each in contract.parameters.items()}
    for name, value in {**values, **_ALWAYS}.items():
        line = line.replace(f"{{{name}}}", value)
    words = _words(line)
    return Call(words[0] if words else "", _arguments(words, scripts))


def _arguments(words: Sequence[str], scripts: Collection[str]) -> list[str] | None:
    for place, word in enumerate(words):
        if PurePosixPath(word).name in scripts:
            return _until_operator(words[place + 1 :])
        if " " in word and any(script in word for script in scripts):  # as after `sh -c`
            return _arguments(_words(word), scripts)
    return None


def _until_operator(words: Sequence[str]) -> list[str]:
    ours = [*takewhile(lambda word: not _is_operator(word), words)]
    after = words[len(ours)] if len(ours) < len(words) else ""
    # As in 2>&1.
    return ours[:-1] if ours and ours[-1].isdigit() and after.startswith(">") else ours


def _is_operator(word: str) -> bool:
    return bool(word) and _OPERATORS.issuperset(word)


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    return [*lexer]


def _value(given: Table) -> str:
    default = given.get("default")
    if default is None and isinstance(choices := given.get("choices"), list):
        default = next(iter(cast("list[object]", choices)), None)
    return _OF_TYPE.get(str(given.get("type")), "a-value") if default is None else str(default)
