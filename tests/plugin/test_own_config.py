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
