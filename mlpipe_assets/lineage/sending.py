"""Lineage sent to an OpenLineage receiver: what is on record and was not sent yet, in order, after each table that a run has written.

The events are made anew from what is on record, so nothing waits in a place of its own: the database has the number of the last
execution that was sent. A run that is killed between an event and that number sends the event again, with the same run id.
"""

import json
import logging
import time
from dataclasses import dataclass

import requests

from mlpipe_assets.catalog.declarations import Catalog
from mlpipe_assets.errors import BusyError
from mlpipe_assets.flow import tables_of
from mlpipe_assets.lineage.database import Database
from mlpipe_assets.lineage.openlineage import Events
from mlpipe_assets.lineage.reading import Records
from mlpipe_assets.lineage.receiver import Receiver
from mlpipe_assets.store.lake import Lake
from mlpipe_assets.store.turns import take_turn

_SECONDS = 5.0  # that one table's events may take in all; what is left goes with the next
_TIMEOUT = (1.0, 3.0)  # seconds to connect, and until an answer
_REST = 60.0  # seconds that a process leaves a receiver alone which did not answer
_REFUSED = {400, 413, 415, 422}  # of the event itself: it would be refused for ever
_TAKEN = 2  # hundreds of a status
_log = logging.getLogger("mlpipe")
_rests: dict[str, float] = {}  # until when, by address


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Sends what the database has to a receiver."""

    lake: Lake
    catalog: Catalog
    database: Database
    receiver: Receiver

    def send(self) -> int:
        """Send what was not sent yet, for a few seconds; how many events went. What goes wrong is told once, and fails nothing.

        Raises: LineageError when the database cannot be read or written; StoreError when the lock cannot be made.
        """
        if _rests.get(self.receiver.url, 0.0) > time.monotonic():
            return 0
        try:
            with take_turn(self.lake.root, "lineage", "openlineage", patience=0.0, highest=lambda: 0):
                return self._send()
        except BusyError:  # another process sends them
            return 0

    def _send(self) -> int:
        sent, last, until = 0, self._last(), time.monotonic() + _SECONDS
        begun = last
        try:
            with requests.Session() as session, self.database.reading() as connection:
                session.headers.update(self.receiver.headers)
                events = Events(catalog=self.catalog, tables={table.key: table for table in tables_of(self.catalog)})
                for number, event in events.numbered(Records(connection=connection), last):
                    answer = session.post(
                        f"{self.receiver.url}/api/v1/lineage",
                        data=json.dumps(event).encode(),
                        timeout=_TIMEOUT,
                        allow_redirects=False,
                    )
                    if answer.status_code in _REFUSED:
                        self._warn(
                            f"refused the event of {event['job']['name']} with {answer.status_code}, which is left out"
                        )
                    elif answer.status_code // 100 != _TAKEN:
                        self._rest(f"answered {answer.status_code}")
                        break
                    else:
                        sent += 1
                    last = number
                    if time.monotonic() > until:
                        break
        except requests.RequestException as error:
            self._rest(f"does not answer ({type(error).__name__})")
        finally:
            if last != begun:
                self._note(last)
        return sent

    def _last(self) -> int:
        with self.database.reading() as connection:
            found = connection.all("select value from facts where name = ?", (self.receiver.name,))
        return int(found[0][0]) if found else 0

    def _note(self, last: int) -> None:
        with self.database.writing() as connection:
            connection.run(
                "insert into facts (name, value) values (?, ?) on conflict (name) do update set value = excluded.value",
                (self.receiver.name, f"{last}"),
            )

    def _rest(self, problem: str) -> None:
        _rests[self.receiver.url] = time.monotonic() + _REST
        self._warn(f"{problem}; what it lacks is sent again after a later table or run")

    def _warn(self, problem: str) -> None:
        _log.warning("lineage: the receiver of MLPIPE_OPENLINEAGE_URL %s.", problem)
