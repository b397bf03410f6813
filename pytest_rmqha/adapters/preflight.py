"""Runs each program's own checker on each member's files, in short-lived containers of the run's own images.

No network, nothing of the stack is started. Members with the same files are looked at once. The files stand at the paths
where they will stand, beside stand-ins for the secrets of a run, so that includes and environment resolve.
"""

from __future__ import annotations

import contextlib
import io
import shlex
import tarfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
import requests

from pytest_rmqha.adapters import own_container
from pytest_rmqha.adapters.engine import RUN_LABEL, TROUBLE, FileToPut
from pytest_rmqha.config.folder import ConfigFile, paths_wanted
from pytest_rmqha.config.origin import Files
from pytest_rmqha.config.preflight import (
    UNCHECKED,
    Finding,
    across,
    broker_said,
    files_said,
    haproxy_said,
    keepalived_said,
    missing_paths,
    script_said,
    with_carriage_returns,
)
from pytest_rmqha.topology import Topology

MARK = "@@rmqha"
"""Begins what the script says of itself: ``MARK begin NAME``, ``MARK end NAME CODE``, ``MARK<tab>`` and a row."""
LIMIT = 60.0
CHECKS: Mapping[str, tuple[str, ...]] = {
    "broker": ("paths", "scripts", "broker"),
    "balancer": ("paths", "scripts", "files", "haproxy", "keepalived"),
}
STAND_INS = (
    FileToPut("/etc/keepalived/auth_pass.conf", b"auth_pass preflig\n", 0o600),
    FileToPut("/etc/default/haproxy", b"STATS_USER=stats\nSTATS_PASSWORD=preflight\n", 0o600),
)

STEP = 'step() { name=$1; shift; echo "@@rmqha begin $name"; "$@" 2>&1 </dev/null; code=$?; echo; echo "@@rmqha end $name $code"; }\n'
BALANCER = """\
haproxy_check() { if [ -r /etc/default/haproxy ]; then set -a; . /etc/default/haproxy; set +a; fi
  haproxy -c -f /etc/haproxy/haproxy.cfg; }
mkdir -p /run/haproxy
ip link show eth0 >/dev/null 2>&1 || ip link add eth0 type dummy 2>/dev/null || ip link add eth0 type veth peer name rmqha0
ip link set eth0 up 2>/dev/null; ip addr add "$ADDRESS" dev eth0 2>/dev/null
step version keepalived --version
step files ulimit -Hn
step haproxy haproxy_check
step keepalived keepalived -t -f /etc/keepalived/keepalived.conf
"""
BROKER = """\
plugins=
for at in /opt/rabbitmq/plugins /usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins /usr/lib/rabbitmq/plugins; do
  if [ -d "$at" ]; then plugins="$plugins:$at"; fi
done
export ERL_LIBS="${plugins#:}"
step broker escript /run/rmqha/preflight.escript "${plugins#:}"
"""
# What the broker does before it boots (rabbit_prelaunch_conf:setup/1), with every error said instead of the first one
# thrown: its own schemas, its own parser and mapping, and where its environment says that the files are.
ESCRIPT = r"""#!/usr/bin/env escript
-mode(compile).
main([Plugins]) ->
    logger:set_primary_config(level, none),
    Dirs = string:lexemes(Plugins, ":"),
    Apps = [{hd(string:split(filename:basename(F, ".ez"), "-")), F} || D <- Dirs, F <- names(D)],
    Given = try rabbit_env:get_context() catch _:_ -> #{} end,
    #{main_config_file := Main, additional_config_files := More, advanced_config_file := Advanced,
      enabled_plugins_file := Enabled} = maps:merge(#{main_config_file => "/etc/rabbitmq/rabbitmq",
        additional_config_files => "/etc/rabbitmq/conf.d/*.conf",
        advanced_config_file => "/etc/rabbitmq/advanced.config",
        enabled_plugins_file => "/etc/rabbitmq/enabled_plugins"}, Given),
    Found = [F || F <- [Main, Main ++ ".config", Main ++ ".conf"], filelib:is_regular(F)],
    {Terms, Confs} = lists:partition(fun(F) -> filename:extension(F) =:= ".config" end, lists:sublist(Found, 1)),
    conf(Confs ++ lists:sort(filelib:wildcard(More)), [list_to_atom(A) || {A, _} <- Apps]),
    [consult(F, fun is_list/1, "one list of applications and their settings was expected")
     || F <- Terms ++ [Advanced], filelib:is_regular(F)],
    [plugins(F, [A || {A, _} <- Apps]) || F <- [Enabled], filelib:is_regular(F)],
    ok.

names(Dir) -> case file:list_dir(Dir) of {ok, Names} -> Names; _ -> [] end.

conf([], _) -> ok;
conf(Files, Apps) ->
    try
        Schemas = lists:usort([filename:join([P, "schema", F]) || A <- Apps, P <- [code:priv_dir(A)], is_list(P),
            {ok, Fs} <- [erl_prim_loader:list_dir(filename:join(P, "schema"))], F <- Fs,
            filename:extension(F) =:= ".schema"]),
        case cuttlefish_schema:files(Schemas) of
            {errorlist, Bad} -> say("not checked", hd(Files), 0, io_lib:format("the image's schemas: ~p", [Bad]));
            {[], [], []} -> say("not checked", hd(Files), 0, "the image has no schemas");
            Schema -> mapped(Files, Schema)
        end
    catch Class:Reason -> say("not checked", hd(Files), 0, io_lib:format("~p: ~0p", [Class, Reason]))
    end.

mapped(Files, Schema) ->
    Each = [{F, try cuttlefish_conf:file(F) catch throw:R -> {errorlist, [{error, unread(R)}]} end} || F <- Files],
    [told(F, E) || {F, {errorlist, Es}} <- Each, E <- Es],
    case [F || {F, {errorlist, _}} <- Each] of
        [] ->
            case cuttlefish_generator:map(Schema, cuttlefish_conf:files(Files)) of
                {error, _, {errorlist, Es}} -> [told(hd(Files), E) || E <- Es];
                _ -> ok
            end;
        _ -> ok
    end.

unread({unable_to_open, F, R}) -> lists:flatten(io_lib:format("~ts can't be read: ~p", [F, R]));
unread(R) -> lists:flatten(io_lib:format("~p", [R])).

told(File, Error) -> say("error", File, 0, try cuttlefish_error:xlate(Error) catch _:_ -> io_lib:format("~0p", [Error]) end).

consult(File, Good, Wanted) ->
    case file:consult(File) of
        {ok, [Term]} -> case Good(Term) of true -> {ok, Term}; false -> say("error", File, 0, Wanted) end;
        {ok, []} -> {ok, []};
        {ok, _} -> say("error", File, 0, Wanted);
        {error, {Place, Module, Why}} -> say("error", File, line(Place), Module:format_error(Why));
        {error, Why} -> say("error", File, 0, file:format_error(Why))
    end.

line({Line, _}) -> Line;
line(Line) when is_integer(Line) -> Line;
line(_) -> 0.

plugins(File, Known) ->
    case consult(File, fun is_list/1, "one list of plugin names was expected") of
        {ok, Names} -> [say("warning", File, 1, io_lib:format("plugin ~p is not in this image", [N]))
                        || N <- Names, not lists:member(lists:flatten(io_lib:format("~s", [N])), Known)];
        _ -> ok
    end.

say(Severity, File, Line, Text) ->
    Flat = re:replace(unicode:characters_to_list(Text), "\\s+", " ", [global, unicode, {return, list}]),
    io:format("@@rmqha\t~ts\t~ts\t~b\t~ts~n", [Severity, File, Line, Flat]).
"""


def owner_labels(run: str) -> dict[str, str]:
    """The labels by which ``leftovers`` finds what a dead run left."""
    return {
        RUN_LABEL: run,
        **own_container.owner_labels(),
        "rmqha.started": f"{time.time():.0f}",
    }


def preflight(
    topology: Topology,
    images: Mapping[str, str],
    files: Mapping[str, Files],
    labels: Mapping[str, str],
    line: str,
    client: Any = None,
) -> list[Finding]:
    """Every finding about every member's files, one after the other. ``files``: service -> its files; ``images``: role -> tag.

    Never raises for what the engine or a checker fails at: that is a finding of its own, "not checked".
    """
    client = client or docker.from_env(timeout=60)
    hosts = "".join(f"{m.address} {m.hostname} {m.service}\n" for m in topology.members)
    found: list[Finding] = []
    seen: set[object] = set()
    for role, members in (("broker", topology.brokers), ("balancer", topology.balancers)):
        for member in members:
            its = files[member.service]
            same = (role, tuple(sorted((f.target, f.mode, f.sha256, str(f.origin)) for f in its)))
            if same not in seen:
                seen.add(same)
                address = f"{member.address}/{topology.subnet.partition('/')[2]}"
                environment = {"ADDRESS": address, "MEMBERS": hosts}
                try:
                    output = _said_in(client, images[role], script(role, its), to_put(role, its), environment, labels)
                except TROUBLE as error:
                    found.append(Finding(member.service, 0, UNCHECKED, f"the engine: {str(error)[:300]}", "docker"))
                else:
                    found += read(role, member.service, output, its)
    brokers = {m.service: files[m.service] for m in topology.brokers}
    balancers = {m.service: files[m.service] for m in topology.balancers}
    return [
        *dict.fromkeys(found),
        *across(brokers, balancers, {m.service: m.address for m in topology.balancers}, line),
    ]


def script(role: str, files: Files) -> str:
    """What runs in the container. The members' names are made known, for haproxy resolves them when it reads its file."""
    wanted = " ".join(shlex.quote(path) for path in dict.fromkeys(path for _, _, path in paths_wanted(files)))
    look = f'look() {{ for at in {wanted}; do if [ ! -e "$at" ]; then printf "@@rmqha\\tabsent\\t%s\\n" "$at"; '
    look += 'elif [ ! -x "$at" ]; then printf "@@rmqha\\tplain\\t%s\\n" "$at"; fi; done; }\n'
    scripts = " ".join(shlex.quote(file.target) for file in files if file.content.startswith(b"#!"))
    look += f'parse() {{ for at in {scripts}; do case "$(head -n1 "$at")" in */bash*|*\\ bash*) bash -n "$at";; '
    look += '*/sh|*/sh\\ *|*/dash*|*\\ sh) sh -n "$at";; esac; done; true; }\n'
    known = 'printf "%s" "$MEMBERS" >> /etc/hosts 2>/dev/null\n'
    return STEP + known + look + "step paths look\nstep scripts parse\n" + (BROKER if role == "broker" else BALANCER)


def to_put(role: str, files: Files) -> list[FileToPut]:
    """A member's own files last: one that stands where a stand-in does is the one that counts."""
    ours = [FileToPut("/run/rmqha/preflight.escript", ESCRIPT.encode(), 0o755)] if role == "broker" else [*STAND_INS]
    return [*ours, *(FileToPut(f.target, f.content, f.mode) for f in files)]


def sections(output: str) -> Mapping[str, tuple[int | None, str]]:
    """name -> (exit code, what was said); the code is None for a check that never ended."""
    found: dict[str, tuple[int | None, str]] = {}
    open_name: str | None = None
    for line in output.splitlines():
        words = line.split()
        if words[:2] == [MARK, "begin"]:
            open_name = words[2]
            found[open_name] = (None, "")
        elif words[:2] == [MARK, "end"] and open_name is not None:
            found[open_name] = (int(words[3]), found[open_name][1])
            open_name = None
        elif open_name is not None:
            found[open_name] = (None, f"{found[open_name][1]}{line}\n")
    return found


def read(role: str, member: str, output: str, files: Files) -> list[Finding]:
    """The findings in what the script said; files in the container become the files that the user has."""
    parts, found = sections(output), list[Finding]()
    for name in CHECKS[role]:
        code, said = parts.get(name, (None, ""))
        rows = [line.split("\t")[1:] for line in said.splitlines() if line.startswith(f"{MARK}\t")]
        if code is None or code >= 126 or (name == "broker" and code != 0):
            last = said.strip().splitlines()[-1:] or ["it said nothing"]
            how = "did not end" if code is None else f"ended with {code}"
            found.append(Finding(member, 0, UNCHECKED, f"the check {name} {how}: {last[0][:200]}", name))
        if code is None or name == "paths":
            found += missing_paths(files, {row[1]: row[0] for row in rows if len(row) == 2})
        elif name == "scripts":
            found += script_said(said) + with_carriage_returns(files)
        elif name == "files":
            found += files_said(said.strip(), files)
        elif name == "broker":
            found += broker_said(rows, files)
        elif code < 126:
            version = parts.get("version", (0, ""))[1]
            found += haproxy_said(code, said) if name == "haproxy" else keepalived_said(code, said, version)
    places = {f.target: f for f in files}
    return [_at_home(finding, places) for finding in found]


def _at_home(finding: Finding, places: Mapping[str, ConfigFile]) -> Finding:
    if finding.file not in places:
        return finding
    return Finding(str(places[finding.file].origin), finding.line, finding.severity, finding.text, finding.source)


def _said_in(
    client: Any,
    image: str,
    text: str,
    files: Sequence[FileToPut],
    environment: Mapping[str, str],
    labels: Mapping[str, str],
) -> str:
    """What a script says in a container without a network; it is removed with its volumes, whatever happens."""
    container = client.containers.create(
        image,
        entrypoint=["sh", "-c"],
        command=[text],
        user="root",
        network_mode="none",
        cap_add=["NET_ADMIN"],
        init=True,
        environment=dict(environment),
        labels={**labels, "rmqha.role": "preflight"},
    )
    try:
        container.put_archive("/", _archive(files))
        container.start()
        with contextlib.suppress(requests.exceptions.RequestException):
            container.wait(timeout=LIMIT)
        return bytes(container.logs()).decode(errors="replace")
    finally:
        container.remove(force=True, v=True)


def _archive(files: Sequence[FileToPut]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode, entry.mtime = len(file.content), file.mode, int(time.time())
            archive.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()
