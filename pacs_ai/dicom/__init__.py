"""Reading DICOM: headers, pixels, the choice of images, and the checks on what comes and goes.

The only package below the results that knows pydicom. It raises errors of ``pacs_ai.errors`` and
nothing else; their messages name elements and limits, never values.
"""
