#!/bin/sh
# Asks haproxy itself, not the process table: 'killall -0' passes on a frozen haproxy.
exec curl -fsS -o /dev/null --max-time 1 http://127.0.0.1:8405/alive
