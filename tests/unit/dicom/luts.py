"""Look-up tables for pixel values, as items of a data set."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence


def words(values):
    return np.asarray(values).tobytes()


def item(**values):
    ds = Dataset()
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def table(first, entries, bits, **more):
    entry = item(LUTData=words(np.asarray(entries, dtype="<u2")), **more)
    entry.add_new("LUTDescriptor", "US" if first >= 0 else "SS", [len(entries), first, bits])
    entry["LUTData"].VR = "OW"
    return Sequence([entry])
