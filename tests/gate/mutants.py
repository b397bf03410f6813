"""The faults of the field that line 3.10 and its files can have, each as a change to the reference configuration."""

from __future__ import annotations

from tests.gate import mutants_brokers, mutants_haproxy, mutants_keepalived
from tests.gate.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (*mutants_brokers.ALL, *mutants_haproxy.ALL, *mutants_keepalived.ALL)
BY_ID = {mutant.id: mutant for mutant in MUTANTS}

NOT_FILES = {
    "R05 R25 P07 P10 P17": "other lines: 3.11, 4.0 or 4.3",
    "O01": "the cookie of a run is the harness's own",
    "O02 H19": "a host name and a sysctl are in the compose file or on the host, not in the folder",
    "O08 K21": "a firewall between the members: a fault that scenarios inject (P7, V6), not a file",
}
