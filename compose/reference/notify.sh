#!/bin/sh
# keepalived calls: TYPE NAME STATE PRIORITY. One line for each transition; haproxy always runs, whoever holds the VIP.
echo "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ) $1 $2 $3 $4" >> /var/log/keepalived/notify.log
