"""Diagnose the receipts that could not be routed. Pure."""

from collections.abc import Iterator

from relay.operations.diagnosis import Diagnosis, HelpfulAct


def diagnose_receipts(malformed: int, quarantined: int) -> Iterator[Diagnosis]:
    """Return that receipts were malformed within the last day, or are quarantined."""
    if quarantined:
        means = (
            "routing them met a defect of the relay, or killed five workers; they are kept, and nothing came of them"
        )
        advice = "receipt.quarantined in the log has the traceback: report it; relay replay routes them again"
        yield _problem("quarantined", quarantined, f"{quarantined} receipt(s) quarantined", means, advice)
    if malformed:
        means = "they are not what amoCRM sends; they are kept, answered 202, and nothing came of them"
        advice = "relay events list --state malformed shows why; does something else know the hook's address?"
        yield _problem("malformed", malformed, f"{malformed} malformed within a day", means, advice)


def _problem(state: str, count: int, found: str, means: str, advice: str) -> Diagnosis:
    command = f"relay events list --state {state}"
    return Diagnosis(
        about="receipts", grade="bad" if state == "quarantined" else "warning", found=found, means=means, advice=advice,
        kind=f"receipts-{state}", count=count,
        act=HelpfulAct(name="list-events", command=command, filters={"state": state}),
    )  # fmt: skip
