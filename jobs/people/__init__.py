"""Who a person is in our tables: which rows are theirs, and which of them the law keeps."""
