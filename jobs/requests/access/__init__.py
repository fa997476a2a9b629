"""What a person gets who asks for their data: one file with all of it, in plain words."""
