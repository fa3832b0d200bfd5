"""Name every key. One hash tag holds them all together, so a script may touch any of them on a cluster too."""

MARK_MS = 2 * 3600 * 1000  # amoCRM repeats a hook for about 95 minutes


class Keys:
    """The keys of one relay. `namespace` lets several share a server."""

    def __init__(self, namespace: str = "relay") -> None:
        self.prefix = f"{{{namespace}}}:"
        self.receipts = self.prefix + "receipts"  # zset: every receipt, by arrival
        self.wake = self.prefix + "wake"  # zset: queue -> when it is next worth a look
        self.stats = self.prefix + "stats"  # hash: counters
        self.sinks = self.prefix + "sinks"  # hash: every sink there ever was -> its type
        self.subscriptions = self.prefix + "subscriptions"  # hash: version, last id, `id:<n>` -> "<source> <url>"

    def receipt(self, id: str) -> str:
        """Hash: where it came from, its state, its events (`e:<n>`) and deliveries (`d:<id>`)."""
        return f"{self.prefix}r:{id}"

    def body(self, id: str) -> str:
        """String: the raw body of a receipt; compressed once it is routed (field `z` of the receipt)."""
        return f"{self.prefix}b:{id}"

    def delivery(self, id: str) -> str:
        """Hash: its event, route and sink, where it stands, and the token of its lease."""
        return f"{self.prefix}d:{id}"

    def content(self, id: str) -> str:
        """String: what is sent, shared by the sinks of one route and event."""
        return f"{self.prefix}c:{id}"

    def story(self, delivery: str) -> str:
        """List: its attempts, "times|outcome|json" each."""
        return f"{self.prefix}a:{delivery}"

    def due(self, queue: str) -> str:
        """Zset: what waits in a queue, by the millisecond from which it may be taken."""
        return f"{self.prefix}due:{queue}"

    def leased(self, queue: str) -> str:
        """Zset: what is in flight, by the millisecond at which its lease runs out."""
        return f"{self.prefix}leased:{queue}"

    def gate(self, queue: str) -> str:
        """Hash: until when a queue is closed and why, or that it is paused; `route:<name>` closes one route."""
        return f"{self.prefix}gate:{queue}"

    def held(self, sink: str) -> str:
        """Zset: deliveries about which a person must decide, by when they were held."""
        return f"{self.prefix}held:{sink}"

    def dead(self, sink: str) -> str:
        """Zset: dead letters, by when they died."""
        return f"{self.prefix}dead:{sink}"

    def bell(self, queue: str) -> str:
        """String with a time to live: a bell for this queue is on its way."""
        return f"{self.prefix}bell:{queue}"

    def shared(self, key: str) -> str:
        """String with a time to live: what workers share (`SharedState`)."""
        return f"{self.prefix}note:{key}"

    def events_of(self, source: str, entity: str, id: str) -> str:
        """Set: the ids of the events of one lead, one contact and so on."""
        return f"{self.prefix}of:{source}:{entity}:{id}"

    def subscriptions_of(self, source: str) -> str:
        """Hash: the url of each subscription to a source -> its record."""
        return f"{self.prefix}subscriptions:{source}"

    def failures_of(self, subscription: int) -> str:
        """List: when the last calls failed, of an application that may be disabled for them."""
        return f"{self.prefix}failures:{subscription}"

    def session(self, digest: str) -> str:
        """String with a time to live: what proves whose session of the subscription API this is."""
        return f"{self.prefix}session:{digest}"


INBOX = "inbox"
JOBS = "jobs"
ACCOUNT = "account"


def account_queue(source: str) -> str:
    """Name the queue of the deliveries that wait for a look-up in a source's account."""
    return f"{ACCOUNT}:{source}"


def sink_queue(sink: str) -> str:
    """Name the queue of a sink."""
    return f"sink:{sink}"
