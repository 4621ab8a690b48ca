"""Where the rows of a source come from: one kind of value per feed, and for each its intake in `mlpipe_assets/intake`."""

from dataclasses import dataclass, field
from datetime import timedelta

from mlpipe_assets.readers.options import GENEROUS, Limits


@dataclass(frozen=True, kw_only=True)
class Feed:
    """Where the rows of a source come from; what a source says of its rows holds for every kind of feed.

    Its fields are plain values with a stable `repr`, since they are part of the source's version, and hold no secret.
    """


@dataclass(frozen=True, kw_only=True)
class Files(Feed):
    """Files that arrive under data/raw/<source>/, or in a bucket: `Files("s3://bucket/prefix")`.

    Attributes:
        location: The bucket and where in it: `s3://BUCKET/PREFIX`, `gs://…` or `az://…`, without a user or a secret in it. None is
            the folder of the source in the lake.
        known_at: Pattern in the file name whose first group is the date or time the file was known. None finds a date
            or time as people write it; without one it is the file's modification time.
        delimiter: Of delimited files; None takes it from the header.
        records: Dotted path of the list of records in JSON files that wrap it (`data`, `result.items`).
        lines: Pattern (Rust's regular expressions) of a whole line of `.log` and `.txt` files; its named groups are the columns.
        limits: How much one file may hold before it is unreadable as a whole.
    """

    location: str | None = field(default=None, kw_only=False)
    known_at: str | None = None
    delimiter: str | None = None
    records: str | None = None
    lines: str | None = None
    limits: Limits = GENEROUS


@dataclass(frozen=True, kw_only=True)
class DatabaseTable(Feed):
    """A table, or view, of a database that SQLAlchemy knows. Rows that are deleted there stay here.

    Attributes:
        url: Name of the environment variable with its address, such as `SHOP_DATABASE_URL`; never the address itself.
        table: Its name, with the schema where it has one: `sales.orders`.
        newer_by: Column of times, dates or whole numbers that grows with every change of a row: each run takes what is newer.
            None takes the whole table once a UTC day, for a source that is a snapshot.
        overlap: How far before what was taken the next range begins, for rows that were committed late: a timedelta, or a
            whole number. None: ten minutes of times, 1,000 of numbers. Rows taken twice count once.
    """

    url: str
    table: str
    newer_by: str | None = None
    overlap: timedelta | int | None = None


@dataclass(frozen=True, kw_only=True)
class KafkaTopic(Feed):
    """Messages of a topic of Apache Kafka, each a JSON object, or a record of Avro, and one row.

    Attributes:
        servers: Name of the environment variable with the servers (`broker1:9092,broker2:9092`), or with a JSON object of
            librdkafka's options where it needs users and certificates; never these themselves.
        topic: Its name.
        key: Name under which a row has the key of its message, as text.
        timestamp: Name under which a row has the time of its message.
        schema_registry: Name of the environment variable with the address of a registry (`https://registry:8081`): messages are
            Avro in Confluent's wire format, each with the number of its schema there.
        avro_schema: The schema, as JSON, of messages that are Avro without such a number.
    """

    servers: str
    topic: str
    key: str | None = None
    timestamp: str | None = None
    schema_registry: str | None = None
    avro_schema: str | None = None


@dataclass(frozen=True, kw_only=True)
class NatsStream(Feed):
    """Messages of a stream of NATS JetStream, each a JSON object, or a record of Avro, and one row.

    Attributes:
        servers: Name of the environment variable with the servers (`nats://host1:4222,nats://host2:4222`), or with a JSON object
            of options where it needs users and certificates; never these themselves.
        stream: Its name.
        subject: Takes only messages of a subject, in which `*` and `>` stand for others; None takes all.
        subject_as: Name under which a row has the subject of its message.
        timestamp: Name under which a row has the time at which the server had its message.
        schema_registry: As of `KafkaTopic`.
        avro_schema: As of `KafkaTopic`.
    """

    servers: str
    stream: str
    subject: str | None = None
    subject_as: str | None = None
    timestamp: str | None = None
    schema_registry: str | None = None
    avro_schema: str | None = None


@dataclass(frozen=True, kw_only=True)
class HttpApi(Feed):
    """Records that an HTTP API gives as JSON, page by page. Records that are deleted there stay here.

    Attributes:
        url: Of the first page, over https or of this machine; without a user or a secret in it.
        records: Dotted path of the list of records in an answer (`data.items`); None: the answer is the list.
        newer_by: Field of a record, a time or a whole number, that grows with every change of it: each run takes what is
            newer. None takes all records once a UTC day, for a source that is a snapshot.
        since: Query parameter by which the API gives only records from a value of `newer_by` on; None asks for all of them
            each time.
        overlap: How far before what was taken records are asked for and compared again, for those that appear late: a timedelta,
            or a whole number. None: not at all. Records taken twice count once.
        next_page: Dotted path in an answer of the address, or the token, of the next page; None takes the header
            `Link: <…>; rel="next"`, or numbers pages from 1 where `page_parameter` is given.
        page_parameter: Query parameter that takes a token or a number.
        token: Name of the environment variable with the secret that the API asks for; never the secret itself.
        token_header: The header it is sent in; `Authorization` has `Bearer ` before it.
    """

    url: str
    records: str | None = None
    newer_by: str | None = None
    since: str | None = None
    overlap: timedelta | int | None = field(
        default=None, repr=False
    )  # says which records are taken, not how they are read
    next_page: str | None = None
    page_parameter: str | None = None
    token: str | None = None
    token_header: str = "Authorization"  # noqa: S105 (its name)


def files_of(feed: Feed) -> Files:
    """A feed of files, to those who read files."""
    if not isinstance(feed, Files):
        raise TypeError(feed)
    return feed
