"""Results made from a prediction: DICOM objects, and files for other systems.

The only package that imports highdicom and reportlab. ``build.build_results`` is the entrance.
"""
