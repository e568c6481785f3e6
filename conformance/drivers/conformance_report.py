"""pytest plugin: writes one JSON object per case to $CONFORMANCE_REPORT.

One line per case, {"case": node id, "outcome": "passed"|"failed"|"skipped", "seconds": s, "message": text}.
Of a case told more than once the last line counts: so does a case that was rerun. An expected
failure (xfail) counts as skipped, a module that cannot be collected as one failed case. Lines are
written as cases end, so a run that is cut short keeps what it found.
"""

import json
import os

_outcomes = {}


def _note(case, outcome, seconds, message):
    kept = _outcomes.setdefault(case, {"case": case, "outcome": "passed", "seconds": 0, "message": ""})
    kept["seconds"] = round(kept["seconds"] + seconds, 3)
    if outcome != "passed" and kept["outcome"] != "failed":
        kept["outcome"] = outcome
        kept["message"] = message[-4000:]
    return kept


def _tell(outcome):
    path = os.environ.get("CONFORMANCE_REPORT")
    if path:
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps(outcome) + "\n")


def pytest_runtest_logreport(report):
    if report.outcome == "rerun":
        _outcomes.pop(report.nodeid, None)
        return
    message = ""
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        message = report.longrepr[2]
    elif report.outcome != "passed":
        message = report.longreprtext
    kept = _note(report.nodeid, report.outcome, report.duration, message)
    if report.when == "teardown":
        _tell(kept)


def pytest_collectreport(report):
    if report.failed:
        _tell(_note(report.nodeid, "failed", 0, report.longreprtext))
    elif report.skipped and isinstance(report.longrepr, tuple):
        _tell(_note(report.nodeid, "skipped", 0, report.longrepr[2]))
