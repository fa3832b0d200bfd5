"""Name every key and every field of the store. One hash tag holds all keys together, so a script may touch any of them.

The scripts write these names out; tests/unit/store/test_keys.py checks that they use no others. Times are milliseconds.
"""

from typing import Final


class Keys:
    """The keys of one relay. `namespace` lets several share a server."""

    def __init__(self, namespace: str = "relay") -> None:
        self.prefix = f"{{{namespace}}}:"
        self.receipts = self.prefix + "receipts"  # zset: every receipt, by arrival
        self.finished = self.prefix + "finished"  # zset: receipts that retention may remove, by when they were finished
        self.finished_dead = self.prefix + "finished:dead"  # zset: likewise, those with a dead letter: kept longer
        self.wake = self.prefix + "wake"  # zset: queues, by when they are next worth a look
        self.stats = self.prefix + "stats"  # hash: counters (`Counter`)
        self.workers = self.prefix + "workers"  # zset: names of workers, by when they were last seen
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
        self.minutes = (
            self.prefix + "minutes"
        )  # list: what was counted in each of the last minutes, as JSON, newest first
        self.totals = self.prefix + "totals"  # string: the counters at the last of these, "minute|json"
        self.actions = self.prefix + "actions"  # zset: every bulk action, by when it was started
        self.actions_ended = self.prefix + "actions:ended"  # zset: those that have ended, by when they did
        self.actions_unfinished = self.prefix + "actions:unfinished"  # hash: digest of a request -> id of its action
        self.people_index = self.prefix + "people"  # hash: how far the index of people reaches (`PeopleField`)
        self.looked_up = self.prefix + "lookedup"  # list: deliveries whose content a look-up made, for that index
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
        """Zset: what is in flight, by the millisecond at which its lease runs out."""
        return f"{self.prefix}leased:{queue}"

    def gate(self, queue: str) -> str:
        """Hash: until when a queue or some of its routes are closed and why, or that it is paused (`GateField`)."""
        return f"{self.prefix}gate:{queue}"

    def history(self, queue: str) -> str:
        """List: the newest changes of its gate, as JSON."""
        return f"{self.prefix}history:{queue}"

    def window(self, queue: str) -> str:
        """Hash with a time to live: what came of attempts, for the breaker, in slots called by when they begin."""
        return f"{self.prefix}window:{queue}"

    def pending(self, sink: str) -> str:
        """Zset: pending deliveries, also those that wait for a look-up, by when their receipts arrived."""
        return f"{self.prefix}pending:{sink}"

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
        """String with a time to live: a bell for this queue is on its way."""
        return f"{self.prefix}bell:{queue}"

    def duplicates(self, source: str, digest: str) -> str:
        """String with a time to live: the newest receipts with this body, a line "id request-id" each."""
        return f"{self.prefix}dup:{source}:{digest}"

    def once(self, bucket: str) -> str:
        """Hash: id of a `once` delivery that retention removed -> its state. `bucket`: how the id begins, 3 letters."""
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


class ReceiptField:
    """Fields of a receipt's hash."""

    SOURCE: Final = "src"
    RECEIVED_AT: Final = "at"
    SIZE: Final = "size"  # bytes of its body as it arrived
    CONTENT_TYPE: Final = "ct"  # header
    CONTENT_ENCODING: Final = "ce"  # header; only where there was one
    USER_AGENT: Final = "ua"  # header
    REQUEST_ID: Final = "rq"  # header
    RECOVERED: Final = "rec"  # set where amoCRM never delivered it: made from what the account remembers
    DUPLICATES: Final = "dups"  # how often amoCRM repeated it
    DUPLICATE_AT: Final = "dup_at"  # when it last did
    ANSWERED_LATE: Final = "late"  # set where our answer left too late, until amoCRM has repeated it
    REPEATED_BY: Final = "rep"  # id of the hook that repeated it because of that
    STATE: Final = "state"
    REASON: Final = "reason"
    CONFIG: Final = "cfg"  # version of the configuration that routed it
    REMARKS: Final = "remarks"  # what of it could not be read, as a JSON list; only where there is any
    COMPRESSED: Final = "z"  # set where its body is compressed
    OPEN: Final = "open"  # how much of it is unfinished: its routing, and each delivery
    DEAD: Final = "dead"  # how many dead letters it has, or that it was quarantined: kept longer
    TOKEN: Final = "tok"  # of its last lease
    DEATHS: Final = "died"  # leases that ran out: workers that died holding it
    DEATHS_ALONE: Final = "alone"  # of those: workers that held nothing else
    BESIDE: Final = "beside"  # the token of a lease under whose worker other things were leased too
    EVENT: Final = "e:"  # and its index: [name, entity, entity id, state, reason] as JSON
    DELIVERY: Final = "d:"  # and its id: the index of its event
    PUT_OFF: Final = "p:"  # and the id of a delivery that is made when its sink has room: the sink
    PERSON: Final = "w:"  # and a keyed hash and the index of an event: whom that speaks of
    CONTENT: Final = "c:"  # and its id: content that no delivery refers to any more, removed with the receipt


class DeliveryField:
    """Fields of a delivery's hash."""

    EVENT: Final = "ev"
    SOURCE: Final = "src"
    ROUTE: Final = "route"
    SINK: Final = "sink"
    ONCE: Final = "once"  # set where its id follows from the route's `once` key
    QUEUE: Final = "q"  # where it waits, if not in its sink's queue: the account's, for a look-up
    CONTENT: Final = "c"  # id of its content
    SIZE: Final = "size"  # bytes of that
    GENERATION: Final = "gen"  # how often its content was rendered anew: each has a key of its own
    CAUSE: Final = "cause"  # set where it is held or dead: the id of the cause that it is listed by
    PLANNED: Final = "planned"  # set where it was moved: the id that routing would give it now
    CONFIG: Final = "cfg"  # version of the configuration that made it
    ACCEPTED_AT: Final = "acc"  # when its receipt arrived
    CREATED_AT: Final = "at"
    FINISHED_AT: Final = "done"
    STATE: Final = "state"
    REASON: Final = "reason"
    ATTEMPTS: Final = "att"  # attempts consumed
    SENT_AT: Final = "send"  # the mark: when its bytes were about to leave; until it is known what became of them
    MARKED_BY: Final = "mark"  # the token under which the mark was set
    SENDS: Final = "sends"  # how often its bytes were about to leave
    TOLD: Final = "told"  # what an attempt said that was delivered, and came to an end while a newer lease was out
    TOKEN: Final = "tok"  # of its last lease; empty once that is settled
    DEATHS: Final = "died"  # leases that ran out: workers that died holding it
    TRIAL: Final = "trial"  # never in the hash: a claim sets it where the delivery is the trial of a breaker
    DOWN: Final = "down"  # set while it waits only because its sink failed: until when they asked us to wait
    DEATHS_ALONE: Final = "alone"  # of those: workers that held nothing else
    BESIDE: Final = "beside"  # the token of a lease under whose worker other things were leased too
    CANCEL: Final = "cancel"  # set where a person asked to cancel it while it was in flight: by whom, and why
    BLOCKED: Final = "blk"  # how often the gate that it closed had been opened before, and its route: "3|", "0|route"


class JobField:
    """Fields of a job's hash."""

    KIND: Final = "kind"
    ARGS: Final = "args"  # JSON
    TOKEN: Final = "tok"  # of its last lease
    DEATHS: Final = "died"  # leases that ran out
    DEATHS_ALONE: Final = "alone"  # of those: workers that held nothing else
    BESIDE: Final = "beside"  # the token of a lease under whose worker other things were leased too
    REASON: Final = "reason"  # why it was put off


class ActionField:
    """Fields of a bulk action's hash."""

    KIND: Final = "kind"
    REQUEST: Final = "request"  # what was asked for, as JSON
    ALIKE: Final = "alike"  # digest of kind and filter: two with the same one do not run at once
    BY: Final = "by"
    WHY: Final = "why"
    AT: Final = "at"  # when it was started
    STATE: Final = "state"
    TOTAL: Final = "total"  # rows to look at, when it was started
    LOOKED: Final = "looked"  # rows looked at
    CURSOR: Final = "cursor"  # where it goes on: JSON; empty at the beginning
    RATE: Final = "rate"  # items a second at most
    WAITS: Final = "waits"  # why it does nothing at the moment
    ENDED: Final = "ended"  # when it was done, aborted or had failed
    PROBLEM: Final = "problem"  # why it failed
    RESULT: Final = "n:"  # and a result: of how many items it is that


class GateField:
    """Fields of a gate's hash. One that is open has none."""

    PAUSED: Final = "paused"  # set where a person, or a subscription's disabling, closed it
    UNTIL: Final = "until"  # when it lets one delivery through as a trial, which decides
    TRIAL: Final = "trial"  # the delivery that was let through
    TRIED: Final = "tried"  # how many deliveries were tried that had not been blocked themselves before
    SINCE: Final = "since"  # when it was closed by answers
    REASON: Final = "reason"  # of that
    BREAKER: Final = "breaker"  # set where the breaker closed it
    RAMP: Final = "ramp"  # when it was opened after that, until the rate has grown to what it may be
    ADVANCE: Final = "advance"  # set until what waited only for the sink is due: how many others were seen
    PAUSED_SINCE: Final = "paused_since"
    PAUSED_UNTIL: Final = "paused_until"  # set where the pause ends by itself
    PAUSED_BY: Final = "paused_by"  # set where a person paused it
    PAUSED_WHY: Final = "paused_why"
    # The gates of single routes, each with its name:
    ROUTE: Final = "route:"  # as UNTIL
    ROUTE_TRIAL: Final = "trial:"
    ROUTE_TRIED: Final = "tried:"


class OutcomeField:
    """Fields of the hash that says what came of attempts; a slot is five minutes, numbered since the epoch."""

    GOOD: Final = "good:"  # and a slot: attempts that delivered
    FAILED: Final = "failed:"  # and a slot: attempts that failed
    SINCE: Final = "since"  # when the first failed of those in a row that nothing has been delivered after
    ROW: Final = "row"  # how many failed in that row


class PeopleField:
    """Fields of the hash that says how far the index of people reaches."""

    KEY: Final = "key"  # which key its hashes are made with
    SCORE: Final = "score"  # when the last receipt in it arrived
    MEMBER: Final = "member"  # and its id


class LifeField:
    """Fields of the hash that says since when the store is in use, and in which format it is."""

    SINCE: Final = "since"
    FORMAT: Final = "format"  # the version of what is stored (`relay.store.formats`)
    EMPTIED: Final = "emptied"  # when a worker found that all was deleted which it had known


class SubscriptionsField:
    """Fields of the hash that all subscriptions share."""

    VERSION: Final = "version"  # rises with every change of any subscription
    LAST_ID: Final = "last"
    PLACE: Final = "id:"  # and its id: "source url"


class Counter:
    """Counters, each a field of the hash `stats`: one of these words and what it is about, separated by "|"."""

    RECEIPT: Final = "receipt"  # source, state (also "duplicate", "recovered")
    BYTES: Final = "bytes"  # source: bytes of hooks stored
    EVENT: Final = "event"  # source, name
    DELIVERY: Final = "delivery"  # sink, state (also "created", "moved", "put off", "expired")
    ROUTE: Final = "route"  # route, the state in which it made a delivery: pending, skipped, dead
    ATTEMPT: Final = "attempt"  # sink, outcome
    REFUSED: Final = "refused"  # source ("" where there is none of that name), reason: hooks that got no receipt
    CLOSED: Final = "closed"  # sink: how often its gate was closed
    REMOVED: Final = "removed"  # source, "receipts" or "bytes": of hooks that retention removed
    RETIRED: Final = "retired"  # receipts that retention removed


INBOX = "inbox"
JOBS = "jobs"
ACCOUNT = "account"


def account_queue(source: str) -> str:
    """Name the queue of the deliveries that wait for a look-up in a source's account."""
    return f"{ACCOUNT}:{source}"


def sink_queue(sink: str) -> str:
    """Name the queue of a sink."""
    return f"sink:{sink}"
