"""What a worker's look at the store found."""

from relay.model import Record


class LookReply(Record, array_like=True):
    """What a worker's look at the store found.

    `queues`: those with work that nobody came to: the worker begins it. `wait_ms`: until a queue is worth a look; 0:
    there is work that somebody was told of, -1: there is nothing to wait for. `silent`: workers, and for how long each
    was not seen, in milliseconds.
    """

    queues: list[str]
    unanswered: bool  # a bell was set half a second ago or longer, and nobody came to the work
    listens: bool  # a connection takes the worker's wake-ups, and others know it for some seconds
    wait_ms: int
    known: bool  # whether the store has the jobs that run for ever
    since: int  # when the store came into use, epoch milliseconds
    empty: bool  # nobody has looked at it before, and nothing is in it
    subscriptions_version: int
    silent: list[tuple[str, int]]
    format: int  # the newest that was written (`relay.store.formats`)
    shards: int = 0  # the epoch of the list of shards, 0 where there is one shard (`relay.store.shard_list`)
