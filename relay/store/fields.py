"""Name every field of the hashes of the store.

The scripts write these names out; tests/unit/store/test_keys.py checks that they use no others.
"""

from typing import Final


class ReceiptField:
    """Fields of a receipt's hash."""

    SOURCE: Final = "src"
    RECEIVED_AT: Final = "at"
    SIZE: Final = "size"  # bytes of its body as it arrived
    CONTENT_TYPE: Final = "ct"  # header
    CONTENT_ENCODING: Final = "ce"  # header; only where there was one
    USER_AGENT: Final = "ua"  # header
    REQUEST_ID: Final = "rq"  # header
    TRACE: Final = "trace"  # what its trace goes on from, as W3C's `traceparent`; only where it is traced
    RECOVERED: Final = "rec"  # set where amoCRM never delivered it: made from what the account remembers
    DUPLICATES: Final = "dups"  # how often amoCRM repeated it
    DUPLICATE_AT: Final = "dup_at"  # when it last did
    ANSWERED_LATE: Final = "late"  # set where our answer left too late, until amoCRM has repeated it
    REPEATED_BY: Final = "rep"  # id of the hook that repeated it because of that
    STATE: Final = "state"
    REASON: Final = "reason"
    CONFIG: Final = "cfg"  # version of the configuration that routed it
    CHAINED: Final = "chained"  # of a fact: how many deliveries, one following the other, led to it
    MADE_BY: Final = "by"  # of the fact that a delivery arrived: that delivery
    ORIGINAL: Final = "orig"  # of the same: the event that the delivery was made of, in whose receipt the hook is
    LED: Final = "led"  # set where a delivery of it led to such a fact: it is kept while one of them is there
    DEPTH: Final = "depth"  # of a fact: 1, or one more than that of the fact whose delivery it is about
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
    ERASED: Final = "x:"  # and the index of an event: when a person was taken out of it; of no event: out of its body
    CONTENT: Final = "c:"  # and its id: content that no delivery refers to any more, removed with the receipt


class DeliveryField:
    """Fields of a delivery's hash."""

    EVENT: Final = "ev"
    SOURCE: Final = "src"
    ROUTE: Final = "route"
    SINK: Final = "sink"
    TRACE: Final = "trace"  # what its trace goes on from; only where that of its receipt is traced
    ONCE: Final = "once"  # set where its id follows from the route's `once` key
    LED: Final = "led"  # the facts that told of its arrival, the last one last; empty: the chain is too long
    KEYED: Final = "keyed"  # set where its route has `order` or `latest`: "order|latest", digests of the keys or empty
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
    SECRET: Final = "secret"  # of an erasure without RELAY_SECRET_KEY: of the key of its hashes; gone with its end
    SHARDS: Final = "shards"  # of one in several shards, in the first: which these are; each has a row of it
    BEGUN: Final = "begun:"  # and a shard: its row is written
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


class AwayField:
    """Fields of the hash of a sink whose home is another shard."""

    OPENINGS: Final = "openings"  # how often a trial had opened its gate when that was last heard
    ADVANCE: Final = "advance"  # as that of a gate


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


class NewestField:
    """Fields of the hash that says how far the index of the newest receipts reaches."""

    SCORE: Final = "score"  # when the last receipt in it arrived
    MEMBER: Final = "member"  # and its id
    KEPT: Final = "kept"  # how many receipts it keeps of each value


class PackingField:
    """Fields of the hash that says how far the packing of finished receipts has come."""

    SCORE: Final = "score"  # when the last one that was looked at was finished
    MEMBER: Final = "member"  # and its id


class LifeField:
    """Fields of the hash that says since when the store is in use, and in which format it is."""

    SINCE: Final = "since"
    FORMAT: Final = "format"  # the version of what is stored (`relay.store.formats`)
    EMPTIED: Final = "emptied"  # when a worker found that all was deleted which it had known
    SHARDS: Final = "shards"  # the epoch of `ShardsField`, where there are several


class ShardsField:
    """Fields of the hash that says which shards there are, and which source belongs to which."""

    EPOCH: Final = "epoch"  # rises with every change
    SHARD: Final = "shard:"  # and the name of one -> since when it is one
    SOURCE: Final = "source:"  # and the name of one -> "shard|epoch|other": the other one is where it is on its way to
    HOME: Final = "home:"  # and the name of a sink of the file -> the shard where its gate and its limits are


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
