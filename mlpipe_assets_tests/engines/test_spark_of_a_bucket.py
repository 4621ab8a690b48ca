"""Spark SQL over the Parquet of a lake in a bucket, read by s3a: the rows that DuckDB finds on a disk.

Executors of a run do not work on a lake in a bucket; this is for who asks it with a Spark of their own. Hadoop's S3 file system
and its SDK take 690 MB.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlpipe_assets.engines.registry import open_engine
from mlpipe_assets.executors.executor import THREADS
from mlpipe_assets.store.bucket.address import read_address
from mlpipe_assets.store.bucket.objects import BucketObjects
from mlpipe_assets.store.copies.inventory import content
from mlpipe_assets.store.copies.moves import LakeMove
from mlpipe_assets.store.lake import Lake
from mlpipe_assets_tests.executors.lakes import bring_up_to_date, deliver
from mlpipe_assets_tests.executors.spark_servers import packages_of_spark
from mlpipe_assets_tests.fetched import fetch_jars
from mlpipe_assets_tests.object_server import READER, object_server

pytestmark = [pytest.mark.slow, pytest.mark.long]

HADOOP = "3.5.0"  # that of the pinned pyspark
SQL = "select channel, count(*) as orders, sum(amount) as amount from t group by channel order by channel"


def jars_of_s3a() -> Path:
    """The folder of the jars."""
    artifact = f"org.apache.hadoop:hadoop-aws:{HADOOP}"
    return fetch_jars(f"hadoop-aws-{HADOOP}", [artifact], without="org.apache.hadoop")


def test_spark_reads_the_lake_in_a_bucket_as_duckdb_reads_it_on_a_disk(tmp_path: Path) -> None:
    packages, jars = packages_of_spark(), jars_of_s3a()
    lake = Lake(data_dir=f"{tmp_path / 'data'}")
    deliver(lake)
    bring_up_to_date(lake, THREADS)
    state = lake.state("interim", "orders")
    files = state.files(state.days())
    here = open_engine().select(SQL, {"t": files}, {})
    assert here.height > 0
    (tmp_path / "server").mkdir()
    with object_server(tmp_path / "server") as server:
        bucket = BucketObjects(address=read_address("s3://lake/shop", server.environ()))
        LakeMove(root=lake.root, objects=bucket, where="s3://lake/shop").into_bucket()
        keys = [f"s3a://lake/shop/{content(state.digest(day))}" for day in state.days()]
        (tmp_path / "files.json").write_text(json.dumps(keys))
        script = [sys.executable, f"{Path(__file__).with_name('spark_of_a_bucket.py')}", f"{jars}"]
        reading = {**os.environ, **server.environ(READER), "PYTHONPATH": f"{packages}", "SPARK_LOCAL_IP": "127.0.0.1"}
        done = subprocess.run(
            [*script, f"{tmp_path / 'files.json'}", SQL],
            env=reading,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout) == [[str(value) for value in row] for row in here.rows()]
