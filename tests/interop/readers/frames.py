"""Prints the data frames that Inspect makes of a log."""

import sys

from inspect_ai.analysis import evals_df, events_df, messages_df, samples_df

frames = {
    "evals": evals_df(sys.argv[1]),
    "samples": samples_df(sys.argv[1], full=True),
    "messages": messages_df(sys.argv[1]),
    "events": events_df(sys.argv[1]),
}
named = (
    f'"{name}":{frame.to_json(orient="records", date_format="iso")}'
    for name, frame in frames.items()
)
sys.stdout.write("{" + ",".join(named) + "}")
