"""``--rmq-config``: a folder of somebody's own is taken as it is, or refused before anything starts."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Session

SCENARIO = '@pytest.mark.rmq_scenario("N1")\ndef test_it(): holds()'


def test_files_that_are_named_by_absolute_path_are_taken(session: Session, pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("theirs")
    (folder / "rabbitmq.conf").write_text("ssl_options.cacertfile = /etc/rabbitmq/ca.pem\n")
    (folder / "ca.pem").write_text("x")

    result = session(SCENARIO, "--rmq-config=theirs", "--rmq-plan")

    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED or result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["rmqha: *config */theirs (option)*"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("ca.pem", "x", "nothing reads ca.pem, so it would go untested: *name it by its absolute path*"),
        ("lb1/keepalive.conf", "x", "nothing reads lb1/keepalive.conf*write keepalived.conf*"),
    ],
)
def test_a_file_that_would_go_untested_ends_the_session(
    session: Session, pytester: pytest.Pytester, name: str, text: str, message: str
) -> None:
    folder = pytester.mkdir("theirs")
    (folder / "rabbitmq.conf").write_text("# ca.pem\n")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(text)

    result = session(SCENARIO, "--rmq-config=theirs")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --rmq-config: got theirs; *{message}"])


@pytest.mark.parametrize(("port", "runs"), [(15672, True), (15673, False)])
def test_who_keeps_the_management_off_the_vip_is_not_asked_for_it(
    session: Session, pytester: pytest.Pytester, port: int, runs: bool
) -> None:
    folder = pytester.mkdir("theirs")
    (folder / "haproxy.cfg").write_text(f"frontend f\n    bind *:5672,*:{port}\n")
    needs = '@pytest.mark.rmq_requires("vip_management")\n@pytest.mark.rmq_scenario("V19")\ndef test_login(): holds()\n'

    result = session(f"{SCENARIO}\n\n{needs}", "--rmq-config=theirs", "--rmq-plan")

    text = result.stdout.str()
    assert ("no haproxy.cfg listens on 15672: the management is not behind the VIP" in text) is not runs, text
