"""Time under a test's control: the store's scripts as they are, but for what tells the time, and what forgets."""

import copy
import hashlib
from functools import cache
from typing import Any

from relay.store.scripts import Caller, Script
from relay.store.store import Store

_CALL = "local call = redis.call\n"
_CONTROLLED_CALL = """
local real_call = redis.call
local function test_time() return real_call('LRANGE', P .. 'test:clock', 0, 1) end
local function call(...)
  local arguments = {...}
  local command, key = arguments[1], arguments[2]
  if command == 'TIME' then return test_time() end
  local ms
  if command == 'SET' and arguments[#arguments - 1] == 'PX' then
    ms = table.remove(arguments)
    table.remove(arguments)
  end
  local reply = command ~= 'PEXPIRE' and command ~= 'PEXPIREAT' and real_call(unpack(arguments))
  if command == 'PEXPIRE' or (ms and reply) then
    local time = test_time()
    real_call('ZADD', P .. 'test:expiry', time[1] * 1000 + math.floor(time[2] / 1000) + (ms or arguments[3]), key)
  end
  if command == 'PEXPIREAT' then real_call('ZADD', P .. 'test:expiry', arguments[3], key) end
  return reply
end
"""


@cache
def _controlled(script: Script) -> Script:
    """Return a script that reads the test's clock, and writes down for it what has a time to live."""
    assert script.text.count(_CALL) == 1
    controlled = copy.copy(script)
    controlled.text = script.text.replace(_CALL, _CONTROLLED_CALL)
    controlled.sha = hashlib.sha1(controlled.text.encode()).hexdigest()
    return controlled


class _ControlledCaller(Caller):
    async def __call__(self, script: Script, request: object, *blobs: bytes) -> Any:
        return await super().__call__(_controlled(script), request, *blobs)


async def control_time(store: Store, now: int) -> None:
    """Give a store a clock that only `set_time` moves."""
    call = _ControlledCaller(store.client, store.keys.prefix)
    for part in (store, *vars(store).values()):  # each module of the store has a caller of its own
        if hasattr(part, "_call"):
            part._call = call
    await set_time(store, now)


async def set_time(store: Store, now: int) -> None:
    """Move the clock (epoch milliseconds). What has outlived its time to live is gone."""
    clock, expiry = store.keys.prefix + "test:clock", store.keys.prefix + "test:expiry"
    async with store.client.pipeline(transaction=True) as pipe:
        pipe.delete(clock)
        pipe.rpush(clock, now // 1000, now % 1000 * 1000)
        pipe.zrangebyscore(expiry, "-inf", now)
        pipe.zremrangebyscore(expiry, "-inf", now)
        *_, expired, _ = await pipe.execute()
    if expired:
        await store.client.delete(*expired)
