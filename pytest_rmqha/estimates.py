"""How long a play will take: what an earlier run here has measured, else the shipped table, else the profile's usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_rmqha.runs import Manifest, records_of, setting
from pytest_rmqha.session_report import PASSED

TABLE = "the shipped table"
USUAL = "the profile's usual"
BRING_UP = 32.0

# Seconds a play, its tests together, by the manifest of one nightly run (line 3.10, two cores). docs/performance.md says of
# another one where such seconds go.
MEASURED: Mapping[str, float] = {
    "test_everything_that_the_files_declare_is_on_every_node": 1,
    "test_an_idle_client_survives_ninety_seconds": 1,
    "test_a_client_that_falls_silent_is_noticed": 1,
    "test_everything_that_the_files_declare_is_still_on_every_node_at_the_end": 2,
    "nobody_does_any_harm": 5,
    "the_home_of_queues_like_theirs_is_killed": 20,
    "the_leaders_node_is_killed": 33,
    "the_leaders_node_is_stopped": 28,
    "a_followers_node_is_killed": 41,
    "the_leaders_node_is_killed_under_unsettled_messages": 45,
    "the_leaders_node_is_frozen_for_half_the_tick_time": 12,
    "the_leaders_app_is_stopped": 27,
    "two_restarts_of_a_queue_that_synchronises_by_itself": 49,
    "two_restarts_with_and_without_a_sync_between": 51,
    "mirroring_policies_are_set_changed_and_removed": 7,
    "a_broker_is_cut_off_cleanly": 18,
    "a_broker_is_cut_off_silently": 27,
    "new_channels_are_opened_on_a_leader_that_is_cut_off_and_does_not_know": 36,
    "the_link_of_a_pair_is_cut": 21,
    "every_link_gets_200_ms_of_latency": 32,
    "what_one_broker_says_to_another_is_swallowed": 31,
    "the_last_stopped_starts_first": 61,
    "the_first_stopped_starts_and_the_last_one_joins_in_time": 104,
    "everything_is_killed_at_once": 47,
    "everything_stops_and_starts_at_once": 40,
    "everything_is_killed_and_one_starts_alone": 68,
    "a_broker_leaves_by_reset_and_is_joined_again_by_hand": 45,
    "a_broker_comes_back_with_another_cookie": 36,
    "the_vhost_next_door_is_struck": 8,
    "each_balancer_has_its_turn": 26,
    "keepalived_is_stopped_on_the_holder": 63,
    "the_holders_host_is_killed": 11,
    "haproxy_is_killed_on_the_holder": 10,
    "the_balancers_no_longer_hear_each_other": 63,
    "a_broker_is_frozen": 16,
    "keepalived_alone_is_killed": 21,
    "haproxy_freezes_on_the_holder": 21,
    "the_failed_master_returns_and_waits_its_turn": 17,
    "a_broker_and_then_haproxy_die_while_everybody_looks_on": 38,
    "the_clients_broker_is_killed": 40,
    "the_vip_leaves_consumers_behind": 32,
    "unsafe_clients_share_a_broker_that_dies": 26,
    "one_broker_has_a_memory_alarm": 17,
    "haproxy_freezes_behind_a_check_of_the_process_table [killall-check]": 53,
    "the_failed_master_returns_and_takes_over [preempt]": 60,
    "the_failed_master_returns_and_takes_over [preempt-delay]": 73,
}
BY_PROFILE: Mapping[str, float] = {"gate": 40, "nightly": 75}


@dataclass(frozen=True)
class Estimate:
    """``source``: "measured in RUN", the shipped table, or the profile's usual."""

    seconds: float
    source: str


def shipped(name: str, profile: str) -> Estimate:
    """What everybody who has this package says, so that shards are cut alike everywhere."""
    known = name.rpartition("::")[2]  # a test that is a play of its own has its node id for a name
    if known in MEASURED:
        return Estimate(MEASURED[known], TABLE)
    return Estimate(BY_PROFILE[profile], USUAL)


class Estimates:
    """``manifests``: newest first. Those of another topology or line say nothing here, nor does a play that was not green."""

    def __init__(self, manifests: Sequence[Manifest], *, topology: str, version: str) -> None:
        self._runs = [m for m in manifests if (setting(m, "topology"), setting(m, "version")) == (topology, version)]

    def of(self, name: str, nodeids: Sequence[str], profile: str) -> Estimate:
        """Of one play. Whichever of its tests came first bore its cost, so the sum of those that ran is the play's."""
        for manifest in self._runs:
            records = records_of(manifest)
            mine = [record for record in records if record.nodeid in nodeids]
            if not mine or any(record.outcome != PASSED for record in mine):
                continue
            spent = sum(record.seconds for record in mine)
            if records[0] in mine:  # the first test of a session waits for the stack
                spent -= float(manifest.get("bring_up_seconds") or 0)
            return Estimate(max(spent, 1.0), f"measured in {manifest['run']}")
        return shipped(name, profile)

    def bring_up(self) -> Estimate:
        for manifest in self._runs:
            if manifest.get("bring_up_seconds"):
                return Estimate(float(manifest["bring_up_seconds"]), f"measured in {manifest['run']}")
        return Estimate(BRING_UP, TABLE)


def minutes(seconds: float) -> str:
    """``0.6 min``; short ones too, so that a column can be read down."""
    return f"{seconds / 60:.1f} min"
