"""The shape of pixel data as the header states it, checked before anything is allocated."""

from dataclasses import dataclass

MAX_PLANE_PIXELS = 2**25
"""Pixels of one frame: the largest radiographs have 28 million; 128 MiB as float32."""

MAX_SIDE = 65535
GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
PALETTE = "PALETTE COLOR"
SUBSAMPLED = "YBR_FULL_422"
YBR = frozenset({"YBR_FULL", SUBSAMPLED})
COLOUR = frozenset({"RGB", "YBR_ICT", "YBR_RCT", "XYB"}) | YBR


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """Image Pixel module (PS3.3 Section C.7.6.3), every value checked to be legal by itself."""

    keyword: str
    rows: int
    columns: int
    samples: int
    photometric: str
    planar: int
    frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool

    @property
    def plane_pixels(self) -> int:
        """Pixels of one frame."""
        return self.rows * self.columns

    @property
    def frame_bits(self) -> int:
        """Bits of one uncompressed frame; YBR_FULL_422 halves the chroma samples."""
        samples = 2 if self.photometric == SUBSAMPLED else self.samples
        return self.plane_pixels * samples * self.bits_allocated

    @property
    def decoded_bytes(self) -> int:
        """Bytes of the stored values of one frame, as `pacs_ai.dicom.canonical` gives them."""
        return self.plane_pixels * self.samples * max(1, self.bits_allocated // 8)


@dataclass(frozen=True, slots=True)
class Task:
    """What a decoding process needs to know of a compressed frame.

    Attributes
    ----------
    syntax
        Transfer syntax UID.
    layout
        What the header says.
    """

    syntax: str
    layout: PixelLayout
