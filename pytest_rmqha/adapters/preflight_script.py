"""What runs in the preflight's containers: the text, the files beside it, and how what it says is taken apart again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pytest_rmqha.adapters.engine import FileToPut
from pytest_rmqha.config.folder import paths_wanted
from pytest_rmqha.config.origin import Files

MARK = "@@rmqha"
"""Begins what the script says of itself: ``MARK begin NAME``, ``MARK end NAME CODE``, ``MARK<tab>`` and a row."""
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
