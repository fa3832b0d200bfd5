"""Serve a fake account: `python -m relay.sandbox.amocrm PORT`, on this machine only."""

import sys

import uvicorn

from relay.sandbox.amocrm.app import create

if __name__ == "__main__":
    uvicorn.run(create(), host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
