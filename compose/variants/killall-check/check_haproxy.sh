#!/bin/sh
# The how-to's check: is there a process of that name? A frozen haproxy has one, so it keeps the VIP and serves nobody.
exec killall -0 haproxy
