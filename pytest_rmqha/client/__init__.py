"""What runs in the load client's container: pika, the ledger and a loop of JSON lines; nothing else."""
