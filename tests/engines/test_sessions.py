import os
import time
from datetime import timedelta

import pytest
from pyspark.sql import functions as F

from jobs.engine import Engine, session
from jobs.settings import load_settings
from tests.engines.local_spark import local_spark_jars


def test_the_embedded_engine_starts_beside_a_local_sparks_token(tmp_path, monkeypatch):
    monkeypatch.setenv("SPARK_CONNECT_AUTHENTICATE_TOKEN", "of-another-server")
    with Engine(load_settings(str(tmp_path / "shop"))) as engine:
        assert engine.session.sql("SELECT current_timezone()").collect()[0][0] == "UTC"
    assert os.environ["SPARK_CONNECT_AUTHENTICATE_TOKEN"] == "of-another-server"


def test_a_stopped_engine_may_be_stopped_again(tmp_path):
    engine = Engine(load_settings(str(tmp_path / "shop")))
    assert engine.session.range(3).count() == 3
    engine.stop()
    engine.stop()


@pytest.mark.parametrize(("idle_seconds", "is_kept"), [(1, False), (session.IDLE_SECONDS, True)])
def test_the_embedded_engine_waits_as_long_as_it_is_told(tmp_path, monkeypatch, idle_seconds, is_kept):
    """A program may work for long without it, as while a package is sent or another engine runs."""
    assert timedelta(days=30).total_seconds() < session.IDLE_SECONDS
    monkeypatch.setattr(session, "IDLE_SECONDS", idle_seconds)
    with Engine(load_settings(str(tmp_path / "shop"))) as engine:
        assert engine.session.range(3).count() == 3
        time.sleep(4)
        if is_kept:
            assert engine.session.range(3).count() == 3
        else:
            with pytest.raises(Exception, match="not running"):
                engine.session.range(3).count()


def test_what_an_engine_is_asked_names_no_line_of_ours(engine):
    """PySpark would look for the line at every call, which costs a third of the time of a small step."""
    assert engine.session.conf.get(next(iter(session.WITHOUT_CALL_SITES))) == "false"
    rows = engine.session.range(3).select((F.col("id") + 1).alias("next"))
    assert "call_site" not in str(rows._plan.to_proto(engine.session.client))


def column_is_of_connect():
    return type(F.col("id")).__module__.startswith("pyspark.sql.connect")


@pytest.mark.parity
@pytest.mark.slow
def test_either_engine_may_end_before_the_other(tmp_path):
    """PySpark ends a local Spark with whatever session stops, and with it the mode in which ``col`` speaks Connect."""
    spark_settings = load_settings(str(tmp_path / "spark")).model_copy(
        update={"engine": "spark", "spark_jars": str(local_spark_jars()), "memory_share": 0.1}
    )
    with Engine(load_settings(str(tmp_path / "kept"))) as kept:
        assert kept.session.range(3).count() == 3
        with Engine(spark_settings) as spark:
            assert spark.session.range(3).count() == 3
            with Engine(load_settings(str(tmp_path / "passing"))) as passing:
                assert passing.session.range(3).count() == 3
            assert spark.session.range(5).where(F.col("id") > 2).count() == 2
        assert column_is_of_connect()
        assert kept.session.range(5).where(F.col("id") > 2).count() == 2
