"""What people ask for about their data: recorded, due, served and told."""
