"""The ledger: what was asked and what was rated, durable before a request is answered."""

from __future__ import annotations

import time

from agent_feedback.ledger.database import Database
from agent_feedback.ledger.queue import DeliveryQueue
from agent_feedback.ledger.ratings import RatingRecords
from agent_feedback.ledger.turns import TurnRecords


class Ledger:
    """Turns and ratings in a database, safe to share between threads, workers and replicas.

    Args:
        url: An SQLAlchemy URL. Nothing is opened before :meth:`open` or the first use.

    Attributes:
        turns: What was asked.
        ratings: What was rated: the desired state.
        queue: The ratings that have to be delivered to MLflow.
        database: Where they are.

    Raises:
        ConfigurationError: the URL is none, or its driver is not installed.
    """

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.turns = TurnRecords(self.database)
        self.ratings = RatingRecords(self.database)
        self.queue = DeliveryQueue(self.database)

    def open(self) -> None:
        """Create what is missing; harmless when repeated, safe between workers.

        Raises:
            ConfigurationError: the ledger cannot be where it is said to be.
            Unavailable: its database cannot be used now.
        """
        self.database.open()

    def identity(self) -> str:
        """The ledger's own id, the same for every process that shares it.

        Raises:
            ConfigurationError, Unavailable: as :meth:`open`.
        """
        return self.database.identity()

    def close(self, within: float = 10.0) -> None:
        """Write what is queued and let go of the database; a later use opens it again.

        Args:
            within: How many seconds a database that hangs may take.
        """
        deadline = time.monotonic() + within
        self.turns.close(within / 2)
        self.database.close(max(0.0, deadline - time.monotonic()))
