"""K: faults of keepalived.conf and of the scripts that it calls."""

from __future__ import annotations

from tests.gate.edits import Mode, Replaced
from tests.gate.mutant import BRING_UP, Mutant

ONE, TWO = "lb1/keepalived.conf", "lb2/keepalived.conf"
HOLDERS = r"2 holders"
NOT_TAKEN = r"vip_is_taken_over|held by lb\d alone"
TRACKED = "    track_script {\n        chk_haproxy\n    }\n"
FALL = "    fall 2\n    rise 2\n"
CHECK = "exec curl -fsS -o /dev/null --max-time 1 http://127.0.0.1:8405/alive\n"
ECHO = 'echo "$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ) $1 $2 $3 $4" >> /var/log/keepalived/notify.log\n'
STARTS_AND_STOPS = """\
case "$3" in
  MASTER) pkill -USR1 -f '^/bin/sh /usr/local/bin/start-balancer' ;;
  *) pkill -TERM -x haproxy ;;
esac
"""

ALL: tuple[Mutant, ...] = (
    Mutant(
        "K01",
        "`auth_pass` differs",
        "S",
        (Replaced(TWO, "        include /etc/keepalived/auth_pass.conf\n", "        auth_pass of-lb2\n"),),
        BRING_UP,
        HOLDERS,
    ),
    Mutant(
        "K03",
        "`virtual_router_id` differs",
        "S",
        (Replaced(TWO, "virtual_router_id 111", "virtual_router_id 112"),),
        BRING_UP,
        HOLDERS,
    ),
    Mutant(
        "K05",
        "`advert_int` differs (VRRP version 2)",
        "S",
        (Replaced(TWO, "advert_int 1", "advert_int 3"),),
        BRING_UP,
        HOLDERS,
    ),
    Mutant(
        "K06",
        "`advert_int 10` on both",
        "LBKILL",
        tuple(Replaced(file, "advert_int 1", "advert_int 10") for file in (ONE, TWO)),
        ("G7",),
        NOT_TAKEN,
    ),
    Mutant(
        "K08",
        "`state MASTER` beside `nopreempt`",
        "LBKILL + return",
        (Replaced(ONE, "    state BACKUP\n", "    state MASTER\n"),),
        ("G8",),
        r"return_interrupts_nobody.*1 interruption",
    ),
    Mutant(
        "K08b",
        "no `nopreempt` but `preempt_delay 10`: the second interruption comes later, but it comes",
        "LBKILL + return",
        tuple(Replaced(file, "    nopreempt\n", "    preempt_delay 10\n") for file in (ONE, TWO)),
        ("G8",),
        r"return_interrupts_nobody.*1 interruption",
    ),
    Mutant(
        "K09",
        "script defined, not tracked",
        "HAKILL, HAFREEZE",
        tuple(Replaced(file, TRACKED, "") for file in (ONE, TWO)),
        ("G7", "V4"),
        NOT_TAKEN,
    ),
    Mutant(
        "K10",
        "weight −20 within a priority gap of 50",
        "HAKILL, HAFREEZE",
        tuple(Replaced(file, FALL, FALL + "    weight -20\n") for file in (ONE, TWO)),
        ("G7", "V4"),
        NOT_TAKEN,
    ),
    Mutant(
        "K12",
        "script not executable",
        "HAKILL, HAFREEZE",
        (Mode("check_haproxy.sh", 0o644),),
        ("G7", "V4"),
        NOT_TAKEN,
    ),
    Mutant(
        "K13",
        "script security on, no script user",
        "HAKILL, HAFREEZE",
        tuple(Replaced(file, "    script_user root\n", "") for file in (ONE, TWO)),
        ("G7", "V4"),
        NOT_TAKEN,
    ),
    Mutant(
        "K15",
        "checks another process",
        "HAKILL, HAFREEZE",
        (Replaced("check_haproxy.sh", CHECK, "exec killall -0 keepalived\n"),),
        ("G7", "V4"),
        NOT_TAKEN,
    ),
    Mutant(
        "K15a",
        "`killall -0 haproxy` (the how-to's check: it passes on a frozen haproxy)",
        "HAFREEZE",
        (Replaced("check_haproxy.sh", CHECK, "exec killall -0 haproxy\n"),),
        ("G7",),
        NOT_TAKEN,
    ),
    Mutant(
        "K20",
        "wrong `unicast_peer` on one side",
        "S",
        (Replaced(ONE, "        198.18.40.44\n", "        198.18.40.45\n"),),
        BRING_UP,
        HOLDERS,
    ),
    Mutant(
        "K25",
        "notify scripts start and stop haproxy",
        "S, LBKILL",
        (Replaced("notify.sh", ECHO, ECHO + STARTS_AND_STOPS),),
        BRING_UP,
        r"statistics page of|haproxy does not run",
    ),
    Mutant(
        "K27",
        "preemption before haproxy is ready",
        "LBKILL + return",
        tuple(Replaced(file, "    nopreempt\n", "") for file in (ONE, TWO)),
        ("G8",),
        r"return_interrupts_nobody.*1 interruption",
    ),
)
