"""``rmqha``: the commands around a run. Each is a file in ``commands``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pytest_rmqha.commands import clean, config, doctor, images, report, run, up
from pytest_rmqha.errors import HarnessError, UserInputError


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="rmqha", description="commands around a verification run")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (doctor, images, config, run, up, report, clean):
        command.add(subparsers)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (UserInputError, HarnessError) as error:
        print(f"rmqha: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print(f"rmqha: ended by {stop or 'an interrupt'}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
