"""What problems are as facts, when they open. Pure."""

from collections.abc import Iterable

from relay.facts.kinds import FACTS, fact_of_problem
from relay.operations.diagnosis import Diagnosis
from relay.operations.drift_diagnosis import DRIFT
from relay.store.problems import ProblemFact


def problem_facts(problems: Iterable[Diagnosis]) -> dict[str, ProblemFact]:
    """Return the facts that it is when these problems open, by their ids: of those kinds that routes may ask for."""
    return {one.id: _fact(kind, one) for one in problems if (kind := fact_of_problem(one.kind))}


def _fact(kind: str, problem: Diagnosis) -> ProblemFact:
    names = ("kind", "subject", "found", "means", "advice", "cause")
    views = {"problem": {name: getattr(problem, name) for name in names}}
    if FACTS[kind].view == "source":
        views["source"] = {"name": problem.subject}
    return ProblemFact(kind=kind, group=_group(problem), views=views)


def _group(problem: Diagnosis) -> str:
    """Return what is alike: each difference of an account is a problem, and many come of one change there."""
    return f"{problem.kind}:{problem.subject.partition('/')[0]}" if problem.kind == DRIFT else problem.id
