"""Put on a worker's path: decoding one particular body kills the process, as a defect in a C library would."""

import os
import signal

from relay.amocrm import form

_decode = form.decode_form


def decode(body, *arguments, **named):
    if b"kill-the-worker" in body:
        os.kill(os.getpid(), signal.SIGKILL)
    return _decode(body, *arguments, **named)


form.decode_form = decode
