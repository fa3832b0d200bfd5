"""Format in lines how the routes of two configurations differ over stored hooks. Pure."""

from collections.abc import Iterator

from relay.operations.differences import Difference, quote_both
from relay.operations.plan_tally import RouteChange, RouteCount
from relay.operations.route_plan import RoutePlan
from relay.timefmt import format_time


def format_plan(plan: RoutePlan) -> Iterator[str]:
    """Format a plan in lines: each route that is not as before, and what is made of its events."""
    if not plan.hooks:
        yield "no stored hooks to plan"
        return
    span = f"{format_time(plan.oldest)} to {format_time(plan.newest)}"
    yield f"{plan.hooks} hook(s), {plan.events} event(s), {span}; version {plan.before} before, {plan.after} after"
    if plan.left_out:
        yield f"left out: {plan.left_out} hook(s) in quarantine"
    if plan.before == plan.after:
        yield "both are the same configuration: write what is to be changed into a copy, and name that"
    different = [route for route in plan.routes if route.is_different]
    for route in different:
        yield ""
        yield from _format_route(route)
    yield ""
    as_before = len(plan.routes) - len(different)
    sums = f"{plan.more} more, {plan.fewer} fewer, {plan.changed} with another content"
    yield f"deliveries: {sums}; {as_before} route(s) as before"


def _format_route(route: RouteChange) -> Iterator[str]:
    before, after = route.before, route.after
    numbers = f"{before.sent} sent before, {after.sent} after"
    yield f"{route.route}: {numbers}; {route.more} more, {route.fewer} fewer, {route.changed} with another content"
    for what, ids in (("more", route.more_of), ("fewer", route.fewer_of), ("changed", route.changed_of)):
        if ids:
            yield f"  {what}, such as {', '.join(ids)}"
    yield from map(_format_difference, route.differences)
    yield from _format_counts(before, after)
    if route.replaces:
        yield (
            f"  {route.replaced} of them went by {route.replaces!r}, which is gone: its `once` keys are not known to "
            f"this route, so what was delivered is delivered again when such an event returns"
        )


def _format_difference(difference: Difference) -> str:
    before, after = quote_both(difference.expected, difference.actual)
    return f"  {difference.place}: {before} before, {after} after"


def _format_counts(before: RouteCount, after: RouteCount) -> Iterator[str]:
    for text, then, now in (
        ("skipped", before.skipped, after.skipped),
        ("dead at once: they cannot be rendered", before.dead, after.dead),
        ("shadowed: kept, and never sent", before.shadowed, after.shadowed),
        ("sent about an entity that had one before", before.second, after.second),
        ("in their turn, by `order`", before.ordered, after.ordered),
        ("newer than one of their `latest` key, which is not sent where it waits still", before.newer, after.newer),
        ("not made: their `once` key was used", before.prevented, after.prevented),
        ("decided by a look-up, which is not planned", before.lookups, after.lookups),
        ("not known: it follows deliveries of which no answer is stored", before.unanswered, after.unanswered),
    ):
        if then or now:
            yield f"  {text}: {then} before, {now} after"
    if before.segments or after.segments:
        yield f"  segments of texts: {_format_segments(before)} before, {_format_segments(after)} after"


def _format_segments(count: RouteCount) -> str:
    return f"{count.segments}" if count.price is None else f"{count.segments} for {count.price}"
