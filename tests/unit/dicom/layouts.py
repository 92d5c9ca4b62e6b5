"""How the pixels of small images are stored."""

from pacs_ai.dicom.pixel_layout import PixelLayout


def grey_layout(bits_allocated: int, bits_stored: int) -> PixelLayout:
    """One frame of 8 x 8 unsigned grey pixels."""
    return PixelLayout(
        keyword="PixelData",
        rows=8,
        columns=8,
        samples=1,
        photometric="MONOCHROME2",
        planar=0,
        frames=1,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=bits_stored - 1,
        signed=False,
    )
