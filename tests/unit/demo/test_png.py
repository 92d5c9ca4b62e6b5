"""Pictures survive the way through PNG, as another library reads it."""

import cv2
import numpy as np

from pacs_ai.demo.png import encode_png


def test_another_reader_sees_the_same_picture() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    read = cv2.imdecode(np.frombuffer(encode_png(picture), np.uint8), cv2.IMREAD_COLOR)
    assert read is not None
    assert (cv2.cvtColor(read, cv2.COLOR_BGR2RGB) == picture).all()


def test_flat_areas_become_small() -> None:
    assert len(encode_png(np.full((500, 500, 3), 7, np.uint8))) < 5000
