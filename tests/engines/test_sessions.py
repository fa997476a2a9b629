import os

from jobs.engine import Engine
from jobs.settings import load_settings


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
