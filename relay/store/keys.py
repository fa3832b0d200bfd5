"""Name every key of the store; `fields` names what its hashes have.

One hash tag holds all keys together, so a script may touch any of them.

The scripts write these names out; tests/unit/store/test_keys.py checks that they use no others. Times are milliseconds.
"""


class Keys:
    """The keys of one relay. `namespace` lets several share a server."""

    def __init__(self, namespace: str = "relay") -> None:
        self.prefix = f"{{{namespace}}}:"
        self.receipts = self.prefix + "receipts"  # zset: every receipt, by arrival
        self.finished = self.prefix + "finished"  # zset: receipts that retention may remove, by when they were finished
        self.finished_dead = self.prefix + "finished:dead"  # zset: likewise, those with a dead letter: kept longer
        self.finished_packed = self.prefix + "finished:packed"  # zset: likewise, those that are packed
        self.ages = self.prefix + "ages"  # hash: how far each shorter age of retention has come, and by which ages
        self.packing = (
            self.prefix + "packing"
        )  # hash: how far the packing of finished receipts has come (`PackingField`)
        self.wake = self.prefix + "wake"  # zset: queues, by when they are next worth a look
        self.stats = self.prefix + "stats"  # hash: counters (`Counter`)
        self.counted = self.prefix + "counted"  # list: what the last calls have counted beside, as msgpack maps
        self.workers = self.prefix + "workers"  # zset: names of workers, by when they were last seen
        self.versions = self.prefix + "versions"  # hash: worker -> which version of the relay it is
        self.listeners = self.prefix + "listeners"  # zset: workers that take wake-ups, by until when they are known to
        self.memory = self.prefix + "memory"  # list: "time|used|limit" in bytes, an hour apart, last first
        self.life = self.prefix + "life"  # hash: since when it is in use, in which format (`LifeField`)
        self.stalls = self.prefix + "stalls"  # list: "time|part|worker", parts of workers that stood still, last first
        self.sinks = self.prefix + "sinks"  # hash: every sink there ever was -> its type
        self.max_pending = self.prefix + "max_pending"  # hash: sink -> how many pending deliveries it may have
        self.openings = self.prefix + "openings"  # hash: gate -> how often a trial that was delivered opened it
        self.last_hooks = self.prefix + "heard"  # hash: source -> when its last hook arrived
        self.shares = self.prefix + "shares"  # hash: source -> which share of the store its hooks may take
        self.sources = self.prefix + "sources"  # set: every source there ever was
        self.subscriptions = self.prefix + "subscriptions"  # hash: what all subscriptions share (`SubscriptionsField`)
        self.audit = self.prefix + "audit"  # stream: what people did
        self.problems = self.prefix + "problems"  # hash: open problem -> what is known and was said of it, as JSON
        self.facts = self.prefix + "facts"  # hash: kinds of facts that routes ask for -> "grouped", "each" or both
        self.fact_groups = self.prefix + "fact_groups"  # hash: facts that are alike -> their window, as msgpack
        self.minutes = (
            self.prefix + "minutes"
        )  # list: what was counted in each of the last minutes, as JSON, newest first
        self.totals = self.prefix + "totals"  # string: the counters at the last of these, "minute|json"
        self.actions = self.prefix + "actions"  # zset: every bulk action, by when it was started
        self.actions_ended = self.prefix + "actions:ended"  # zset: those that have ended, by when they did
        self.erasures = self.prefix + "erasures"  # zset: erasures neither done nor given up, by when they were started
        self.actions_unfinished = self.prefix + "actions:unfinished"  # hash: digest of a request -> id of its action
        self.people_index = self.prefix + "people"  # hash: how far the index of people reaches (`PeopleField`)
        self.newest_index = self.prefix + "newest"  # hash: how far that of the newest receipts does (`NewestField`)
        self.newest_values = self.prefix + "newest_values"  # set: what it has a list of, such as "event:add_lead"
        self.rerouted = self.prefix + "rerouted"  # list: receipts with other events or deliveries since, for that index
        self.looked_up = self.prefix + "lookedup"  # list: deliveries whose content a look-up made, for that index
        self.shards = self.prefix + "shards"  # hash, of the first: the shards, and whose each source is (`ShardsField`)
        self.shards_copy = self.prefix + "shards_copy"  # string, of a further one: "epoch|", and that list as JSON
        self.ownership = self.prefix + "ownership"  # hash: source -> "epoch|owned", or "epoch|closed"
        self.owned = self.prefix + "owned"  # string: the owned ones, a line each; there is none in an only shard
        self.probe = self.prefix + "probe"  # string with a time to live: written to see whether the store takes writes

    def receipts_in(self, state: str) -> str:
        """Zset: malformed or quarantined receipts, by arrival: there are few, and people look for them."""
        return f"{self.prefix}receipts:{state}"

    def receipt(self, id: str) -> str:
        """Hash: where it came from, its state, its events and deliveries (`ReceiptField`)."""
        return f"{self.prefix}r:{id}"

    def body(self, id: str) -> str:
        """String: the raw body of a receipt; once it is routed it may be compressed."""
        return f"{self.prefix}b:{id}"

    def retired(self, id: str) -> str:
        """Hash with a time to live: what of a receipt that retention removed tells its repetitions (`ReceiptField`)."""
        return f"{self.prefix}retired:{id}"

    def overtaken(self, hook: str) -> str:
        """String with a time to live: the receipt that came in place of a hook whose call may be carried out late."""
        return f"{self.prefix}overtaken:{hook}"

    def delivery(self, id: str) -> str:
        """Hash: its event, route and sink, its state, and the token of its lease (`DeliveryField`)."""
        return f"{self.prefix}d:{id}"

    def content(self, id: str) -> str:
        """String: what is sent, shared by the sinks of one route and event."""
        return f"{self.prefix}c:{id}"

    def story(self, delivery: str) -> str:
        """List: its attempts, "times|outcome|json" each."""
        return f"{self.prefix}a:{delivery}"

    def packed(self, receipt: str) -> str:
        """String: a finished receipt and all that belongs to it, in place of its other keys (`relay.store.packing`)."""
        return f"{self.prefix}p:{receipt}"

    def packed_in(self, delivery: str) -> str:
        """String: the packed receipt that has this delivery."""
        return f"{self.prefix}in:{delivery}"

    def job(self, id: str) -> str:
        """Hash: a piece of background work (`JobField`)."""
        return f"{self.prefix}j:{id}"

    def action(self, id: str) -> str:
        """Hash: a bulk action: what is to be done to what, by whom, and how far it is (`ActionField`)."""
        return f"{self.prefix}action:{id}"

    def action_items(self, id: str) -> str:
        """Zset: what a bulk action has touched, deliveries or receipts, by the number that each got, from 1 on."""
        return f"{self.prefix}items:{id}"

    def action_results(self, id: str) -> str:
        """List: what came of each of these items, in the order of their numbers."""
        return f"{self.prefix}results:{id}"

    def due(self, queue: str) -> str:
        """Zset: what waits in a queue, by the millisecond from which it may be taken."""
        return f"{self.prefix}due:{queue}"

    def leased(self, queue: str) -> str:
        """Zset: what is in flight, by the millisecond at which its lease runs out.

        In the home of a sink also "lent|token|number": slots that other shards have, until they run out; and
        "lent|shard|next slot" or "lent|shard|next grant": who is the next that gets one.
        """
        return f"{self.prefix}leased:{queue}"

    def ahead(self, queue: str) -> str:
        """Zset: what of `leased` is claimed ahead of a slot, by when it was due; "": since when it is recalled."""
        return f"{self.prefix}ahead:{queue}"

    def gate(self, queue: str) -> str:
        """Hash: until when a queue or some of its routes are closed and why, or that it is paused (`GateField`)."""
        return f"{self.prefix}gate:{queue}"

    def away(self, queue: str) -> str:
        """Hash: of a sink whose home is another shard, what this one knows of its gate (`AwayField`)."""
        return f"{self.prefix}away:{queue}"

    def history(self, queue: str) -> str:
        """List: the newest changes of its gate, as JSON."""
        return f"{self.prefix}history:{queue}"

    def window(self, queue: str) -> str:
        """Hash with a time to live: what came of attempts, for the breaker, in slots called by when they begin."""
        return f"{self.prefix}window:{queue}"

    def pending(self, sink: str) -> str:
        """Zset: pending deliveries, also those that wait for a look-up, by when their receipts arrived."""
        return f"{self.prefix}pending:{sink}"

    def ordered(self, sink: str) -> str:
        """Zset: pending deliveries that wait for another of their `order` key, by when they may be taken after it."""
        return f"{self.prefix}ordered:{sink}"

    def line(self, sink: str, order: str) -> str:
        """Zset: "event|id" of the pending deliveries of one `order` key by arrival; at 0 the one whose turn it is."""
        return f"{self.prefix}line:{sink}:{order}"

    def latest(self, sink: str, key: str) -> str:
        """Zset: "event|id" of the unfinished deliveries of one `latest` key by their arrival, or the last delivered.

        The latter has a time to live.
        """
        return f"{self.prefix}latest:{sink}:{key}"

    def put_off(self, sink: str) -> str:
        """Zset: "id|event|route" of deliveries to make when the sink has room, by when their receipts arrived."""
        return f"{self.prefix}put_off:{sink}"

    def held(self, sink: str) -> str:
        """Zset: deliveries about which a person must decide, by when they were held."""
        return f"{self.prefix}held:{sink}"

    def dead(self, sink: str) -> str:
        """Zset: dead letters, by when they died."""
        return f"{self.prefix}dead:{sink}"

    def people(self, hash: str) -> str:
        """Zset: the ids of the events that speak of somebody, by their arrival. The hash is keyed."""
        return f"{self.prefix}people:{hash}"

    def newest(self, kind: str, value: str) -> str:
        """Zset: the newest receipts with an event, a route, a sink…, `kind` says of which, by their arrival."""
        return f"{self.prefix}newest:{kind}:{value}"

    def causes(self, sink: str) -> str:
        """Hash: id of each cause for which something is held or dead -> "state|cause"."""
        return f"{self.prefix}causes:{sink}"

    def failed(self, sink: str, cause: str) -> str:
        """Zset: the held or dead deliveries of one cause, by when they became so."""
        return f"{self.prefix}failed:{sink}:{cause}"

    def outcomes(self, name: str) -> str:
        """Hash: what came of the attempts of a sink, or of an account's look-ups, in the last hour (`OutcomeField`)."""
        return f"{self.prefix}outcomes:{name}"

    def bell(self, queue: str) -> str:
        """String with a time to live: a bell for this queue is on its way.

        `queue`:more: one for another worker; `queue`:look: a look has found it, and its worker begins.
        """
        return f"{self.prefix}bell:{queue}"

    def wake_ups(self, worker: str) -> str:
        """Channel, not a key: the queues to which a worker that listens is called, and "" to see that it does.

        Receipts that it is handed over, too: a zero byte, the size of a wire.HandedOver in four, that, and the bodies.
        """
        return f"{self.prefix}wake:{worker}"

    def duplicates(self, source: str, digest: str) -> str:
        """String with a time to live: the newest receipts with this body, a line "id request-id" each."""
        return f"{self.prefix}dup:{source}:{digest}"

    def once(self, bucket: str) -> str:
        """Hash: id of a `once` delivery that is packed, or that retention removed -> its state.

        `bucket`: how the id begins, 3 letters.
        """
        return f"{self.prefix}once:{bucket}"

    def grants(self, limit: str) -> str:
        """List: when the last calls under a limit were granted, as many as it allows in its time."""
        return f"{self.prefix}grants:{limit}"

    def shared(self, key: str) -> str:
        """String with a time to live: what workers share (`SharedState`)."""
        return f"{self.prefix}note:{key}"

    def events_of(self, source: str, entity: str, id: str) -> str:
        """Zset: the ids of the events of one lead, one contact and so on, by their arrival."""
        return f"{self.prefix}events:{source}:{entity}:{id}"

    def events_before(self, source: str, entity: str, id: str) -> str:
        """Set: as `events_of`, of the release before this one (`relay.store.adoption`)."""
        return f"{self.prefix}of:{source}:{entity}:{id}"

    def subscriptions_of(self, source: str) -> str:
        """Hash: the url of each subscription to a source -> its record."""
        return f"{self.prefix}subscriptions:{source}"

    def failures_of(self, subscription: int) -> str:
        """List: when the last calls to a subscriber failed; too many of them disable its subscription."""
        return f"{self.prefix}failures:{subscription}"

    def session(self, digest: str) -> str:
        """String with a time to live: what proves whose session this is, of the subscription API or an operator's."""
        return f"{self.prefix}session:{digest}"

    def wrong_logins(self, peer_digest: str, login_digest: str) -> str:
        """String with a time to live: how often wrong credentials of one login came from a peer."""
        return f"{self.prefix}knocks:{peer_digest}:{login_digest}"

    def wrong_logins_of_all(self, peer_digest: str, kind: str) -> str:
        """String with a time to live: how often wrong credentials of a kind came from a peer, of whatever login."""
        return f"{self.prefix}knocks:{peer_digest}:all:{kind}"


INBOX = "inbox"
JOBS = "jobs"
ACCOUNT = "account"


def account_queue(source: str) -> str:
    """Name the queue of the deliveries that wait for a look-up in a source's account."""
    return f"{ACCOUNT}:{source}"


def sink_queue(sink: str) -> str:
    """Name the queue of a sink."""
    return f"sink:{sink}"
