"""Make the attempts at a sink's deliveries, and keep what each came to: to be settled, measured and logged."""

import time
from collections.abc import Mapping, Sequence

from relay.errors import StoreUnavailable
from relay.live_config import LiveConfig
from relay.logs import log_each
from relay.model import Attempt, Delivery, Outcome
from relay.sinks.base import Sink
from relay.sinks.tools import Tools
from relay.store.histograms import ATTEMPT, END_TO_END, Histogram
from relay.store.records import Settlement
from relay.store.store import Store
from relay.tracing.tracer import Tracer
from workers.attempt_spans import AttemptSpans
from workers.attempts import AttemptResult, attempt, not_sent
from workers.decided import decide_attempt, log_line
from workers.sending_marks import SendingMarks
from workers.unsettled import Unsettled


class SinkAttempts:
    """What they came to goes to `unsettled`; `take_finished` takes it from there with the measurements of it."""

    def __init__(
        self,
        sink: str,
        live: LiveConfig,
        store: Store,
        tools: Tools,
        worker: str,
        tracer: Tracer,
        unsettled: Unsettled,
    ) -> None:
        self._name = sink
        self._live = live
        self._clock = store.clock
        self._marks = SendingMarks(store)
        self._tools = tools
        self._tools_made: tuple[Sink, Tools] | None = None
        self._worker = worker
        self._tracer = tracer
        self._unsettled = unsettled
        self._log_lines: list[Mapping[str, object]] = []
        self._attempt_seconds, self._end_to_end_seconds = Histogram(ATTEMPT, sink), Histogram(END_TO_END, sink)

    def tools_of(self, sink: Sink) -> Tools:
        """Return its tools, made once: a sink of the file stays the same until another file is in force."""
        if self._tools_made is None or self._tools_made[0] is not sink:
            self._tools_made = sink, self._tools.of(sink.asker, sink.proxy)
        return self._tools_made[1]

    async def attempt(self, deliveries: Sequence[Delivery], sink: Sink, tools: Tools) -> Sequence[AttemptResult]:
        """Make an attempt, and add what it came to."""
        at, started = self._clock.seconds(), time.monotonic()
        spans = AttemptSpans(self._tracer, deliveries, sink) if self._tracer.records else None
        try:
            results = await attempt(spans.deliveries if spans else deliveries, sink, self._marks, tools)
        except StoreUnavailable as error:
            results = [not_sent(delivery, str(error)) for delivery in deliveries]
        for place, result in enumerate(results):
            attempted = self._add_finished(result, sink, at, time.monotonic() - started, counted=place == 0)
            if spans:
                spans.end(result.delivery, attempted)
        if spans:
            spans.end_rest(deliveries)
        return results

    def _add_finished(self, attempted: AttemptResult, sink: Sink, at: float, took: float, *, counted: bool) -> Attempt:
        """Decide by a result, and add the settlement, the log line and the measurements of it.

        `counted`: it is the first of its call.
        """
        delivery = attempted.delivery
        is_followed = delivery.route in self._live.config.followers
        decided = decide_attempt(attempted, sink, at, took, self._worker, counted=counted, is_followed=is_followed)
        outcome = decided.attempt.outcome
        self._unsettled.add(decided.settlement)
        self._attempt_seconds.observe(took)
        if outcome is Outcome.DELIVERED:
            self._end_to_end_seconds.observe(at - delivery.accepted_at / 1000 + took)
        self._log_lines.append(log_line(delivery, decided.attempt))
        return decided.attempt

    def take_finished(self) -> tuple[list[Settlement], dict[str, int]]:
        """Take what one call settles, and write the log lines of all that finished."""
        finished = self._unsettled.take()
        counts = {**self._attempt_seconds.take(), **self._end_to_end_seconds.take()}
        lines, self._log_lines = self._log_lines, []
        log_each("delivery.attempted", lines, sink=self._name)
        return finished, counts
