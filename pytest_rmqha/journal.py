"""Each event of a timeline on disk as it comes: what there is to read of a run that is killed."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from threading import Lock

from pytest_rmqha.timeline import Event, Timeline

JOURNAL = "timeline.partial.jsonl"


class Journal:
    """Written while the run goes on, in the order of arrival; ``end`` takes it away, once the whole timeline is written.

    A disk that is full ends it with a note on the timeline, as any listener that fails.
    """

    def __init__(self, timeline: Timeline, folder: Path) -> None:
        self._timeline, self._path = timeline, folder / JOURNAL
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
        self._lock = Lock()
        self._leave = timeline.subscribe(self._write)

    def _write(self, event: Event) -> None:
        """One call, for events come from several threads, also one that is late."""
        line = f"{event.as_json()}\n".encode()
        with self._lock:
            if self._file >= 0:
                os.write(self._file, line)

    def become(self, whole: Path) -> None:
        """The end, as the whole timeline in that file; where it can't be written the journal stays."""
        is_written = False
        with contextlib.suppress(OSError):
            self._timeline.to_jsonl(whole)
            is_written = True
        self.end(keep=not is_written)

    def end(self, *, keep: bool) -> None:
        """``keep``: the timeline could not be written, so this is all there is."""
        self._leave()
        with self._lock:
            os.close(self._file)
            self._file = -1
        if not keep:
            with contextlib.suppress(OSError):
                self._path.unlink()
