"""The folder of an export while it is made: hidden beside its place, and resumable.

It has the images so far, and a file with the secret, the settings and what is done. That file is
removed before the folder gets its name, so that the export holds no way back to the originals.
"""

import json
import secrets
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pacs_ai.errors import StateError
from pacs_ai.files import PRIVATE, atomic_write, sync_folder, translated

IMAGES = "images"
"""Folder of the images in an export: a folder for each patient, and in it one for each study."""

_STATE = ".export.json"
_SECRET_BYTES = 32


@dataclass(slots=True)
class DoneStudy:
    """One study of an export; ``left_out`` has the reason for each row of an image not copied."""

    study: int
    uid: str
    patient: str
    images: int
    left_out: dict[int, str] = field(default_factory=dict)


class Draft:
    """An export that is being made.

    Parameters
    ----------
    place
        Where it will be. Its parent folder exists.
    settings
        What the copies depend on: a draft of others is not resumed.
    secret
        That of earlier exports, where patients shall have the same names; else a new one.

    Raises
    ------
    StateError
        If the place is taken, or a draft with other settings is there.
    StorageError
        If it cannot be written.
    """

    def __init__(
        self, place: Path, settings: Mapping[str, Any], secret: bytes | None = None
    ) -> None:
        self._place = place
        self.folder = place.with_name(f".{place.name}.partial")
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise StateError(f"{place} is there already: name a new folder")
        with translated(self.folder, "cannot be made"):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = self._known()
        if known and known["settings"] != dict(settings):
            raise StateError(
                f"{self.folder} is the beginning of an export with other settings: start the same"
                " command again, or remove that folder"
            )
        if secret and known and bytes.fromhex(known["secret"]) != secret:
            raise StateError(f"{self.folder} is the beginning of an export with another secret")
        self.secret = (
            bytes.fromhex(known["secret"])
            if known
            else (secret or secrets.token_bytes(_SECRET_BYTES))
        )
        self._settings = dict(settings)
        self._done: dict[str, DoneStudy] = {
            key: DoneStudy(**{**one, "left_out": {int(n): w for n, w in one["left_out"].items()}})
            for key, one in known.get("done", {}).items()
        }
        self._write()

    def find(self, key: str) -> DoneStudy | None:
        """Return a study that is done already; the key names its revision."""
        return self._done.get(key)

    def note(self, key: str, done: DoneStudy) -> None:
        """Note that a study is done."""
        self._done[key] = done
        self._write()

    def publish(self, studies: Collection[DoneStudy]) -> None:
        """Give the folder its name; the secret goes, and images of other studies do.

        Parameters
        ----------
        studies
            Those that belong to the export: an earlier try may have had others.

        Raises
        ------
        StorageError
            If that fails.
        """
        wanted = {(one.patient, one.uid) for one in studies}
        with translated(self._place, "cannot be made"):
            for study in list((self.folder / IMAGES).glob("*/*")):
                if (study.parent.name, study.name) not in wanted:
                    shutil.rmtree(study)
                    if not any(study.parent.iterdir()):
                        study.parent.rmdir()
            (self.folder / _STATE).unlink()
            if self._place.is_dir():
                self._place.rmdir()
            self.folder.rename(self._place)
            sync_folder(self._place.parent)

    def discard(self) -> None:
        """Remove what was made."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads((self.folder / _STATE).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self) -> None:
        state = {
            "settings": self._settings,
            "secret": self.secret.hex(),
            "done": {key: asdict(done) for key, done in self._done.items()},
        }
        atomic_write(self.folder / _STATE, json.dumps(state), mode=PRIVATE)
