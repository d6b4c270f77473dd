"""The clock that leases are told by: the database's own on Postgres, the machine's with SQLite."""

from datetime import datetime

from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """Workers on machines whose clocks differ agree on when a lease ends."""
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
