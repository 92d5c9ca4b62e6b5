"""The tables of the drift watch: what was measured of studies, and what is known of each sender."""

from datetime import datetime

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pacs_ai.store.columns import HEX, Base


class Observation(Base):
    """What was measured of one image of a study: how it looked to a model, and its scores.

    ``seen`` once it is counted and compared (`DriftStream`). It refers to no other row: it stays
    when the study is deleted. ``sender`` is an AE title.
    """

    __tablename__ = "observation"
    __table_args__ = (
        UniqueConstraint("study_id", "model_name", "manifest_sha256"),
        Index(None, "seen", "id"),
        Index(None, "stream_id", "id"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    study_id: Mapped[int]
    model_name: Mapped[str] = mapped_column(String(64))
    manifest_sha256: Mapped[str] = mapped_column(HEX)
    sender: Mapped[str] = mapped_column(String(16))
    modality: Mapped[str] = mapped_column(String(16))
    measured: Mapped[dict[str, float]] = mapped_column(JSON)
    seen: Mapped[bool] = mapped_column(default=False)
    stream_id: Mapped[int | None]


class DriftStream(Base):
    """The studies of one sender for one model and modality, compared with the validation images.

    ``alarms`` has the statistics in alarm, and the number of the study at which each was beyond its
    limit last; ``shifts`` the distance and the stability index of each statistic. ``scores`` counts
    studies by class and tenth of the score.
    """

    __tablename__ = "drift_stream"
    __table_args__ = (UniqueConstraint("model_name", "manifest_sha256", "sender", "modality"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    model_name: Mapped[str] = mapped_column(String(64))
    manifest_sha256: Mapped[str] = mapped_column(HEX)
    sender: Mapped[str] = mapped_column(String(16))
    modality: Mapped[str] = mapped_column(String(16))
    studies: Mapped[int] = mapped_column(default=0)
    compared: Mapped[int] = mapped_column(default=0)
    alarms: Mapped[dict[str, int]] = mapped_column(JSON, default=dict)
    alarm_since: Mapped[datetime | None]
    shifts: Mapped[dict[str, list[float]]] = mapped_column(JSON, default=dict)
    scores: Mapped[dict[str, list[float]]] = mapped_column(JSON, default=dict)
