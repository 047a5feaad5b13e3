"""Parts of the background mailer: batches, and the transactions that they belong to."""
