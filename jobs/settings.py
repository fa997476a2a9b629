"""The one place that reads configuration and environment.

Every setting is an environment variable ``SOPHILUX_<NAME>``; the command line's ``--home`` wins over it.
Credentials are held as secrets, which print as asterisks.
"""

from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.errors import UsageError

PREFIX = "SOPHILUX_"
DEFAULT_HOME = "shop"
GIB = 1024**3


def is_remote(location: str) -> bool:
    """True for ``s3://`` and other URLs, false for paths of this machine."""
    return "://" in location


class Settings(BaseSettings):
    """Where the lake lies, which engine computes, where the sources are."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    home: str = Field(DEFAULT_HOME, description="The lake's home: a folder or an s3:// URL.")
    engine: Literal["sail", "spark"] = "sail"
    spark_url: str | None = Field(None, description="sc://host:port of a cluster; none starts a local Spark.")
    spark_jars: str = Field("docker/spark/jars", description="Folder of the Delta jars for a local Spark.")
    memory_share: float = Field(0.5, gt=0, le=0.9, description="Share of the machine's memory for the engine.")
    clickstream_url: str | None = None
    carriers_url: str | None = None
    impressions_url: str | None = None
    purchases_uri: SecretStr | None = None
    keyring_provider: Literal["file", "environment", "airflow", "kms"] = "file"
    keyring_file: str | None = None
    keyring_json: SecretStr | None = Field(None, description="The ring itself, for the provider environment.")
    keyring_airflow_variable: str = Field("sophilux_keyring_secret", description="Airflow masks names like this one.")
    keyring_kms_key: str | None = Field(None, description="Id, ARN or alias of the KMS key that seals the ring's file.")
    partners_file: str | None = None
    currency: str = Field("EUR", pattern="^[A-Z]{3}$", description="Reporting currency; amounts without one are in it.")
    rates_file: str | None = Field(None, description="Exchange rates as CSV; else rates.csv beside the other sources.")
    budgets_file: str | None = Field(None, description="What may be spent on releases about people; else our own.")
    holidays_file: str | None = Field(None, description="Days that are no working days; else weekends only.")
    request_alert_days: int = Field(5, ge=0, le=15, description="Working days before the last one of a request.")
    erase_policy: Literal["approval", "automatic"] = Field(
        "approval", description="Whether erasure waits until somebody agreed to it."
    )
    retention_max_share: float = Field(0.2, ge=0, le=1, description="Part of a table that a routine plan may delete.")
    retention_policy: Literal["routine", "ask"] = Field("routine", description="ask: a person approves every plan.")
    retention_plan_days: int = Field(7, ge=1, description="Days for which a plan may be applied.")
    recommendations_file: str | None = Field(None, description="How products become neighbours; else our own numbers.")
    sources_root: str | None = None

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: str) -> str:
        return home.rstrip("/") if is_remote(home) else str(Path(home).expanduser().absolute())

    @property
    def sources(self) -> str:
        """Folder of source drops beside the lake, used where a source has no setting of its own."""
        return self.sources_root or f"{self.home}.sources"

    @property
    def clickstream(self) -> str:
        """URL or folder of the clickstream files."""
        return self.clickstream_url or f"{self.sources}/clickstream"

    @property
    def carriers(self) -> str:
        """URL or folder of the carriers' files."""
        return self.carriers_url or f"{self.sources}/carriers"

    @property
    def impressions(self) -> str:
        """URL or folder of the ad partners' reports of what they showed."""
        return self.impressions_url or f"{self.sources}/impressions"

    @property
    def purchases(self) -> SecretStr:
        """Database URI: ``sqlite:///file``, ``postgresql://…`` or ``airflow://connection_id``."""
        return self.purchases_uri or SecretStr(f"sqlite:///{self.sources}/shop.db")

    @property
    def keyring(self) -> Path:
        """File of the key ring; always on this machine and never inside the lake."""
        if self.keyring_file:
            return Path(self.keyring_file).expanduser()
        if is_remote(self.home):
            return Path("~/.config/sophilux/keyring.json").expanduser()
        return Path(f"{self.home}.keys") / "keyring.json"

    @property
    def partners(self) -> Path:
        """File that declares the ad partners."""
        return Path(self.partners_file or f"{self.sources}/partners.yaml").expanduser()

    @property
    def rates(self) -> Path:
        """File of exchange rates; it may be missing where the shop knows its reporting currency only."""
        return Path(self.rates_file or f"{self.sources}/rates.csv").expanduser()

    @property
    def budgets(self) -> Path | None:
        """File of privacy budgets; none takes the one that comes with the program."""
        if self.budgets_file:
            return Path(self.budgets_file).expanduser()
        beside = Path(self.sources) / "budgets.yaml"
        return beside if beside.is_file() else None

    @property
    def holidays(self) -> Path | None:
        """File of holidays; none knows weekends only."""
        return Path(self.holidays_file).expanduser() if self.holidays_file else None

    @property
    def recommendations(self) -> Path | None:
        """File of the shop's own recipes for recommendations, where it has one."""
        return Path(self.recommendations_file).expanduser() if self.recommendations_file else None

    @property
    def engine_memory(self) -> int:
        """Bytes the engine may use before it spills."""
        return max(GIB, int(psutil.virtual_memory().total * self.memory_share))


def load_settings(home: str | None = None) -> Settings:
    """Settings from the environment, with ``home`` winning where it is given.

    Raises:
        UsageError: a variable has a value it cannot have; all are listed, without what was found, which may be secret.
    """
    chosen: dict[str, Any] = {"home": home} if home else {}
    mistakes: list[str] = []
    try:
        return Settings(**chosen)
    except ValidationError as error:
        for mistake in error.errors(include_input=False, include_context=False, include_url=False):
            name = "_".join(str(part) for part in mistake["loc"]).upper()
            mistakes.append(f"{PREFIX}{name}: {mistake['msg']}")
    message = f"The settings are not as they must be: {'; '.join(mistakes)}."
    raise UsageError(message)
