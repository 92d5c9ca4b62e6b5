"""What `pacs-ai bench` measures: the time of generated studies, stage by stage, on this machine."""
