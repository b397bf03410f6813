#!/bin/sh
# IMITATION of the official image's entrypoint, in our own words. The conventions: a command of RabbitMQ's that is started
# by root makes what lies in the data folder rabbitmq's own (the server alone does) and goes on as rabbitmq, for good;
# anybody else's command just runs; variables that became configuration keys are refused; nothing starts a broker again.
set -eu

case "$1" in
  rabbitmq*)
    if [ "$(id -u)" = 0 ]; then
      if [ "$1" = rabbitmq-server ]; then
        find "$RABBITMQ_DATA_DIR" ! -user rabbitmq -exec chown rabbitmq {} +
      fi
      exec setpriv --reuid rabbitmq --regid rabbitmq --init-groups "$0" "$@"
    fi
    ;;
esac

retired='RABBITMQ_((MANAGEMENT_)?SSL_[A-Z_]+|DEFAULT_(USER|PASS)_FILE|VM_MEMORY_HIGH_WATERMARK)'
if found=$(env | grep -oE "^$retired="); then
  echo "docker-entrypoint (imitation): these variables are refused, write configuration keys instead:" ${found} >&2
  exit 1
fi

exec "$@"
