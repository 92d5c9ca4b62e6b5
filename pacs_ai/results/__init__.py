"""DICOM objects made from a prediction: the report (structured) and the capture (a picture).

The only package that knows highdicom. ``build.build_results`` is the entrance.
"""
