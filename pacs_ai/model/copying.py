"""Copy a bundle into the folder of models of a node."""

import shutil
from pathlib import Path

from pacs_ai.errors import StorageError
from pacs_ai.model.bundle import MANIFEST, ModelBundle, load_bundle
from pacs_ai.model.reference import REFERENCE
from pacs_ai.model.signature import SUFFIX

_DIGITS = 12


def copy_bundle(bundle: ModelBundle, models: Path) -> ModelBundle:
    """Copy the files that the manifest names, with signature and reference, and read the copy.

    Parameters
    ----------
    bundle
        A bundle that is checked.
    models
        The folder of models. The copy is a folder in it, named by the model and its manifest, so
        that another version never takes its place.

    Raises
    ------
    BundleInvalid
        If the copy differs.
    StorageError
        If it cannot be written.
    """
    target = models / f"{_plain(bundle.identity.name)}-{bundle.manifest_sha256[:_DIGITS]}"
    draft = target.with_name(f"{target.name}.draft")
    try:
        if not target.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            for name in {MANIFEST, *bundle.files, f"{MANIFEST}{SUFFIX}", REFERENCE}:
                if (bundle.folder / name).is_file():
                    shutil.copyfile(bundle.folder / name, draft / name)
            load_bundle(draft, bundle.manifest_sha256)
            draft.rename(target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return load_bundle(target, bundle.manifest_sha256)


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name)
