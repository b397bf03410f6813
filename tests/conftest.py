"""Our tests send SIGINT to themselves and to what they start: a shell that runs them in the background ignores it for all of them."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
