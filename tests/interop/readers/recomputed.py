"""Prints the status and the results of logs, as written and as Inspect computes them anew."""

import json
import sys

from inspect_ai.log import EvalLog, read_eval_log, read_eval_log_sample, recompute_metrics
from inspect_ai.log import read_eval_log_sample_summaries as summaries_of


def results_of(log: EvalLog) -> object:
    """Return the counts, the metrics and the scores of tasks, by reducer."""
    scores = log.results.scores if log.results else []
    return {
        "counts": {each.reducer: [each.scored_samples, each.unscored_samples] for each in scores},
        "metrics": {
            f"{each.reducer} {name}": metric.value
            for each in scores
            for name, metric in each.metrics.items()
        },
        "tasks": {
            f"{each.reducer} {sample.sample_id}": sample.value
            for each in log.reductions or ()
            for sample in each.samples
        },
    }


found: list[object] = []
for path in sys.argv[1:]:
    log = read_eval_log(path)
    written = results_of(log)
    # The scorer of a package is not found by the name that its scores have.
    for scorer in log.eval.scorers or ():
        scorer.name = scorer.name.rpartition("/")[2]
    recompute_metrics(log)
    samples = [read_eval_log_sample(path, uuid=each.uuid).id for each in summaries_of(path)]
    found.append(
        {
            "status": log.status,
            "written": written,
            "computed": results_of(log),
            "samples": samples,
        }
    )
sys.stdout.write(json.dumps(found))
