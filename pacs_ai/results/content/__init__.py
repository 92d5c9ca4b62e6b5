"""What the results say about a study, whatever their format: classes, images, wording."""
