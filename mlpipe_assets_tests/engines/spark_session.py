"""Run by a Python that has pyspark and nothing of ours: answers each select of a JSON file on a local Spark, into Parquet."""

import json
import re
import sys
from datetime import date, datetime

from pyspark.sql import SparkSession


def value(text: str) -> date:
    """A parameter as Spark takes it: a day, or a moment."""
    return date.fromisoformat(text) if len(text) == len("2026-01-01") else datetime.fromisoformat(text)


def main(file: str) -> None:
    """Answer every case of the file; a parameter `$name` of the text is `:name` in Spark."""
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
        .config("spark.sql.ansi.doubleQuotedIdentifiers", "true")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    with open(file) as handle:
        cases = json.load(handle)
    for case in cases:
        for name, path in case["tables"].items():
            spark.read.parquet(path).createOrReplaceTempView(name)
        args = {name: value(text) for name, text in case["params"].items() if f"${name}" in case["sql"]}
        text = re.sub(r"\$([a-z_]+)", r":\1", case["sql"])
        spark.sql(text, args=args).coalesce(1).write.parquet(case["out"])
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
