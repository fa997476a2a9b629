"""Data subject rights: the ledgers of what people asked for and chose, and the days on which they are answered."""
