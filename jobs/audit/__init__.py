"""What really lies on the disk: every byte of every file, searched for what must not be there."""
