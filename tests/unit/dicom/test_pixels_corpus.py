"""The pixels of all files of a corpus."""

import warnings

import numpy as np
from pydicom.filereader import dcmread
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

from pacs_ai.dicom.pixels import read_pixels
from pacs_ai.errors import NotDicom, UnsupportedPixels


def test_pixels_of_every_file_of_the_corpus(corpus):
    decoded = 0
    for path, row in corpus:
        try:
            grey = read_pixels(path)
        except (UnsupportedPixels, NotDicom):
            assert not row["pydicom_decode"].startswith("ok"), path
            continue
        decoded += 1
        assert np.isfinite(grey).all(), path
        assert 0 <= grey.min() <= grey.max() <= 1, path
        if row["rows"]:
            assert grey.shape == (int(row["rows"]), int(row["cols"])), path
    assert decoded >= 412


def test_last_frame_of_every_movie_of_the_corpus(corpus):
    movies = [
        (path, int(row["frames"]))
        for path, row in corpus
        if row["frames"].isdigit() and int(row["frames"]) > 1 and row["pydicom_decode"][:2] == "ok"
    ]
    assert len(movies) > 50
    for path, frames in movies:
        assert read_pixels(path, frames).ndim == 2, path


def test_windowed_images_of_the_corpus_equal_pydicoms(corpus):
    """The same picture as the slow way through pydicom, where this covers the same ground."""
    compared = 0
    for path, row in corpus:
        if not (row["pydicom_decode"].startswith("ok") and row["photometric"].startswith("MONO")):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = dcmread(path, force=True)
            if "WindowCenter" not in ds or row["frames"] not in ("", "1"):
                continue
            try:
                values = apply_modality_lut(ds.pixel_array, ds)
            except (RuntimeError, TypeError):
                continue
            ours = read_pixels(path)
            shown = apply_voi_lut(values, ds, prefer_lut=False)
        compared += 1
        low, high = float(shown.min()), float(shown.max())
        if low == high or ours.min() == ours.max():
            continue
        scaled = (shown - low) / (high - low)
        if row["photometric"] == "MONOCHROME1":
            scaled = 1 - scaled
        ours = (ours - ours.min()) / (ours.max() - ours.min())
        assert np.abs(ours - scaled).max() < 2e-3, path
    assert compared > 150
