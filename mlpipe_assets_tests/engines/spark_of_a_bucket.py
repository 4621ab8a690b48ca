"""Run by a Python that has pyspark: what Spark SQL makes of Parquet files in a bucket, by s3a, as JSON.

Arguments: the folder of the jars, a JSON file with the addresses of the files, and the SQL over them, as the table `t`.
"""

import json
import os
import sys
from pathlib import Path

from pyspark.sql import SparkSession


def main(jars: str, files: str, sql: str) -> None:
    """Print the rows."""
    settings = {
        "spark.jars": ",".join(f"{path}" for path in sorted(Path(jars).glob("*.jar"))),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.log.level": "ERROR",
        "spark.hadoop.fs.s3a.endpoint": os.environ["AWS_ENDPOINT_URL"],
        "spark.hadoop.fs.s3a.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
        # The keys are in the environment, and in no setting that Spark would show.
        "spark.hadoop.fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.EnvironmentVariableCredentialsProvider",
    }
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.read.parquet(*json.loads(Path(files).read_text())).createOrReplaceTempView("t")
    sys.stdout.write(json.dumps([[str(value) for value in row] for row in spark.sql(sql).collect()]))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
