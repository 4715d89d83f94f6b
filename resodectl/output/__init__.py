"""What a run leaves behind: the log, the verdicts, the manifest and the figure."""
